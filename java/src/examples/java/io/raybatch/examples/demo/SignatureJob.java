package io.raybatch.examples.demo;

import io.raybatch.Batch;
import io.raybatch.ObjectId;
import io.raybatch.ObjectSlots;
import io.raybatch.Ray;
import io.raybatch.examples.IRayaJobDriver;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * The long job A: MinHash signatures of 16,384 neighbourhoods, 128 words each, held all along and read rarely. One that the store
 * has evicted is computed again and put again, as lineage would have it.
 */
final class SignatureJob implements IRayaJobDriver {

    static final int OBJECTS = 16_384;
    static final int WORDS = 128;
    static final int BYTES = WORDS * Long.BYTES;

    /** Nodes of a neighbourhood at most. */
    private static final int NEIGHBOURHOOD = 1024;
    private static final long DRAWS = 0x5851f42d4c957f2dL;

    private final Graph graph;
    private final SplittableRandom draws;
    private final long[] slots = new long[OBJECTS];
    /** What each object must hold. */
    private final long[] checks = new long[OBJECTS];
    private final int[] nodes = new int[NEIGHBOURHOOD];
    private final long[] signature = new long[WORDS];
    private final byte[] bytes = new byte[BYTES];

    private long jobId;
    private ObjectSlots objects;
    private long reads;
    private long rebuilt;
    private long rebuildNanos;

    SignatureJob(Graph graph, long seed) {
        this.graph = graph;
        draws = new SplittableRandom(seed ^ DRAWS);
    }

    @Override
    public void start(long id, Batch batch) {
        jobId = id;
        objects = batch.slots();
        for (int i = 0; i < OBJECTS; i++) {
            compute(i);
            checks[i] = Arrays.hashCode(bytes);
            slots[i] = objects.put(bytes, 0, BYTES);
        }
    }

    /** Reads some objects, drawn; rebuilds those that the store says it has not. */
    void read(int count) {
        for (; count > 0; count--) {
            int i = draws.nextInt(OBJECTS);
            reads++;
            if (objects.get(slots[i], bytes, 0, BYTES) < 0) {
                long began = System.nanoTime();
                compute(i);
                slots[i] = objects.put(bytes, 0, BYTES);
                rebuildNanos += System.nanoTime() - began;
                rebuilt++;
            }
            if (Arrays.hashCode(bytes) != checks[i]) {
                throw new IllegalStateException("object " + i + " of the long job is not what was put");
            }
        }
    }

    /** Objects that are in the store now. */
    int present() {
        int present = 0;
        for (long slot : slots) {
            ObjectId id = objects.id(slot);
            present += Ray.contains(id) ? 1 : 0;
        }
        return present;
    }

    /** The signature of the i-th of as many nodes, spread evenly over the graph. */
    private void compute(int i) {
        int size = neighbourhood((int) ((long) i * graph.nodes() / OBJECTS));
        Arrays.fill(signature, Long.MAX_VALUE);
        for (int n = 0; n < size; n++) {
            long hash = Features.word(nodes[n], 0);
            for (int k = 0; k < WORDS; k++) {
                signature[k] = Math.min(signature[k], Features.mix(hash + k));
            }
        }
        signature[0] = i; // no two objects alike
        for (int k = 0; k < WORDS; k++) {
            Features.WORD.set(bytes, k * Long.BYTES, signature[k]);
        }
    }

    /** The node and the first nodes within two hops. */
    private int neighbourhood(int node) {
        int size = 0;
        nodes[size++] = node;
        for (int at = graph.from(node); at < graph.to(node, Walk.FANOUT) && size < NEIGHBOURHOOD; at++) {
            int child = graph.end(at);
            nodes[size++] = child;
            for (int below = graph.from(child); below < graph.to(child, Walk.FANOUT) && size < NEIGHBOURHOOD; below++) {
                nodes[size++] = graph.end(below);
            }
        }
        return size;
    }

    long jobId() {
        return jobId;
    }

    long reads() {
        return reads;
    }

    long rebuilt() {
        return rebuilt;
    }

    double rebuildMillis() {
        return rebuildNanos / 1e6;
    }
}
