package io.raybatch.examples.demo;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.ObjectSlots;
import io.raybatch.examples.IRayaJobDriver;

/**
 * The short job: every node of the walk tree becomes an object of its own; then all are read back, and their weighted sum is the
 * answer, the only object that is kept. One instance serves request after request, and allocates nothing for an object.
 */
final class GraphRequest implements IRayaJobDriver {

    private final Graph graph;
    private final Runnable allPut;
    /** The objects of the request, in the order of the walk. */
    private final long[] slots;
    private final byte[] features = new byte[Features.BYTES];
    private final Walk.Visitor putting = this::put;
    private final Walk.Visitor getting = this::get;

    private int start;
    private ObjectSlots objects;
    private int at;
    private long[] sum;
    private long jobId;
    private ObjectRef<long[]> answer;
    private long lost;

    /** Requests of up to {@code largest} objects; {@code allPut} is called when all objects of one are in the store. */
    GraphRequest(Graph graph, int largest, Runnable allPut) {
        this.graph = graph;
        this.allPut = allPut;
        slots = new long[largest];
    }

    /** Sets what the next start serves. */
    GraphRequest from(int node) {
        start = node;
        return this;
    }

    @Override
    public void start(long id, Batch batch) {
        jobId = id;
        objects = batch.slots();
        at = 0;
        Walk.walk(graph, start, putting);
        allPut.run();
        at = 0;
        sum = new long[Features.WORDS];
        Walk.walk(graph, start, getting);
        answer = batch.put(sum);
        batch.keep(answer);
    }

    private void put(int hop, int node) {
        Features.write(node, features);
        slots[at++] = objects.put(features, 0, Features.BYTES);
    }

    private void get(int hop, int node) {
        if (objects.get(slots[at++], features, 0, Features.BYTES) < 0) {
            // Only the old store takes a running request's own objects, and only when one request fills it.
            lost++;
            Features.write(node, features);
        }
        long weight = Requests.weight(hop);
        for (int k = 0; k < Features.WORDS; k++) {
            sum[k] += weight * (long) Features.WORD.get(features, k * Long.BYTES);
        }
    }

    long jobId() {
        return jobId;
    }

    /** Of the last request. */
    ObjectRef<long[]> answer() {
        return answer;
    }

    /** The last request's answer, as it was computed. */
    long[] sum() {
        return sum;
    }

    /** Own objects that were evicted before they were read, of all requests. */
    long lost() {
        return lost;
    }
}
