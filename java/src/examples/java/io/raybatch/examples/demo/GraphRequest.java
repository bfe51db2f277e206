package io.raybatch.examples.demo;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.ObjectSlots;

/**
 * The short job: every node of the walk tree becomes an object of its own; then all are read back, and their weighted sum is the
 * answer, the only object that is kept. Several threads can work at it, branch by branch. One instance serves request after request,
 * and allocates nothing for an object.
 */
final class GraphRequest implements ShortJob {

    private final Graph graph;
    private final Runnable allPut;
    private final Team team;
    private final Branches[] workers;
    /** The objects of the request, in the order of the walk. */
    private final long[] slots;
    /** Where each branch begins in that order. */
    private final int[] begins = new int[Walk.FANOUT + 1];

    private int start;
    private long[] sum;
    private long jobId;
    private ObjectRef<long[]> answer;
    private long putNanos;
    private long readNanos;

    /**
     * Requests of up to {@code largest} objects, each served by so many threads; {@code allPut} is called when all objects of one
     * are in the store.
     */
    GraphRequest(Graph graph, int largest, int threads, Runnable allPut) {
        team = new Team(threads);
        this.graph = graph;
        this.allPut = allPut;
        slots = new long[largest];
        workers = new Branches[team.size()];
        for (int n = 0; n < workers.length; n++) {
            workers[n] = new Branches(graph);
        }
    }

    @Override
    public GraphRequest from(int node) {
        start = node;
        return this;
    }

    @Override
    public void start(long id, Batch batch) {
        jobId = id;
        ObjectSlots objects = batch.slots();
        int branches = Walk.branches(graph, start);
        for (int branch = 0; branch < branches; branch++) {
            begins[branch + 1] = begins[branch] + Walk.size(graph, start, branch);
        }
        for (Branches worker : workers) {
            worker.begin(objects, slots);
        }
        long began = System.nanoTime();
        team.each(branches, (worker, branch) -> workers[worker].put(start, branch, begins[branch]));
        long put = System.nanoTime();
        allPut.run();
        long reading = System.nanoTime();
        team.each(branches, (worker, branch) -> workers[worker].get(start, branch, begins[branch]));
        sum = new long[Features.WORDS];
        for (Branches worker : workers) {
            worker.addTo(sum);
        }
        putNanos += put - began;
        readNanos += System.nanoTime() - reading;
        answer = batch.put(sum);
        batch.keep(answer);
    }

    @Override
    public long jobId() {
        return jobId;
    }

    @Override
    public ObjectRef<long[]> answer() {
        return answer;
    }

    @Override
    public long[] sum() {
        return sum;
    }

    @Override
    public long tasks() {
        return 0;
    }

    @Override
    public long lost() {
        long lost = 0;
        for (Branches worker : workers) {
            lost += worker.lost();
        }
        return lost;
    }

    @Override
    public double putMillis() {
        return putNanos / 1e6;
    }

    @Override
    public double readMillis() {
        return readNanos / 1e6;
    }

    /** Ends its threads. */
    @Override
    public void close() {
        team.close();
    }
}
