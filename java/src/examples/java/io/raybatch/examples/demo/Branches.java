package io.raybatch.examples.demo;

import io.raybatch.ObjectSlots;
import java.util.Arrays;

/**
 * What one thread does of a request: puts the nodes of branches, and reads them back. It has room for some rows of features,
 * which go to the store together. For one thread at a time.
 */
final class Branches {

    /** Objects put at once. */
    private static final int ROWS = 256;

    private final Graph graph;
    private final byte[] rows = new byte[ROWS * Features.BYTES];
    private final byte[] row = new byte[Features.BYTES];
    private final long[] sum = new long[Features.WORDS];
    private final Walk.Visitor putting = (hop, node) -> put(node);
    private final Walk.Visitor getting = this::get;

    private ObjectSlots objects;
    private long[] slots;
    /** Where the next object's slot is, or is to be. */
    private int at;
    private int filled;
    private long lost;

    Branches(Graph graph) {
        this.graph = graph;
    }

    /** Begins with another request's objects. */
    void begin(ObjectSlots objects, long[] slots) {
        this.objects = objects;
        this.slots = slots;
        filled = 0; // the one before may have been cancelled
        Arrays.fill(sum, 0);
    }

    /** Puts a branch, whose slots go where {@code from} is. */
    void put(int start, int branch, int from) {
        at = from;
        Walk.walk(graph, start, branch, putting);
        flush();
    }

    /** Reads a branch and adds it to the sum. */
    void get(int start, int branch, int from) {
        at = from;
        Walk.walk(graph, start, branch, getting);
    }

    /** Puts a part of the tree, reads it back, and adds it to the sum. Its slots go to the beginning. */
    void putAndGet(Walk.Part part) {
        at = 0;
        part.walk(putting);
        flush();
        at = 0;
        part.walk(getting);
    }

    private void put(int node) {
        graph.features().copy(node, rows, filled * Features.BYTES);
        if (++filled == ROWS) {
            flush();
        }
    }

    private void flush() {
        objects.putAll(rows, 0, Features.BYTES, filled, slots, at);
        at += filled;
        filled = 0;
    }

    private void get(int hop, int node) {
        if (objects.get(slots[at++], row, 0, Features.BYTES) < 0) {
            // Only the old store takes a running request's own objects, and only when one request fills it.
            lost++;
            graph.features().copy(node, row, 0);
        }
        long weight = Requests.weight(hop);
        for (int k = 0; k < Features.WORDS; k++) {
            sum[k] += weight * (long) Features.WORD.get(row, k * Long.BYTES);
        }
    }

    /** {@return what was summed up, a copy} */
    long[] sum() {
        return sum.clone();
    }

    /** Adds what was summed up to a total. */
    void addTo(long[] total) {
        for (int k = 0; k < Features.WORDS; k++) {
            total[k] += sum[k];
        }
    }

    /** Own objects that were evicted before they were read, of all requests. */
    long lost() {
        return lost;
    }
}
