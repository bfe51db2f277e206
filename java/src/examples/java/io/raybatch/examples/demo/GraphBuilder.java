package io.raybatch.examples.demo;

import java.util.Arrays;

/**
 * Collects nodes and edges under ids of their source, any {@code long}. In the graph nodes are numbered from 0 in the order of
 * those ids; directions, duplicates and loops are gone.
 */
final class GraphBuilder {

    /** Ids of all ends of edges, two by two, and of single nodes, twice. */
    private long[] ends = new long[1 << 16];
    private int size;

    void node(long id) {
        edge(id, id);
    }

    void edge(long a, long b) {
        if (size == ends.length) {
            ends = Arrays.copyOf(ends, Math.multiplyExact(size, 2));
        }
        ends[size++] = a;
        ends[size++] = b;
    }

    Graph build(String name) {
        long[] ids = distinct(Arrays.copyOf(ends, size));
        long[] edges = new long[size / 2];
        int count = 0;
        for (int i = 0; i < size; i += 2) {
            if (ends[i] != ends[i + 1]) {
                long a = Arrays.binarySearch(ids, Math.min(ends[i], ends[i + 1]));
                long b = Arrays.binarySearch(ids, Math.max(ends[i], ends[i + 1]));
                edges[count++] = a << 32 | b;
            }
        }
        return build(name, ids.length, distinct(Arrays.copyOf(edges, count)));
    }

    /** {@code edges}: smaller end in the upper half, larger in the lower; ascending. */
    private static Graph build(String name, int nodes, long[] edges) {
        int[] offsets = new int[nodes + 1];
        for (long edge : edges) {
            offsets[(int) (edge >>> 32) + 1]++;
            offsets[(int) edge + 1]++;
        }
        for (int node = 0; node < nodes; node++) {
            offsets[node + 1] += offsets[node];
        }
        int[] neighbours = new int[offsets[nodes]];
        int[] at = Arrays.copyOf(offsets, nodes);
        // All smaller neighbours of a node come first, then all larger ones, each in ascending order as the edges are.
        for (long edge : edges) {
            neighbours[at[(int) edge]++] = (int) (edge >>> 32);
        }
        for (long edge : edges) {
            neighbours[at[(int) (edge >>> 32)]++] = (int) edge;
        }
        return new Graph(name, offsets, neighbours);
    }

    private static long[] distinct(long[] values) {
        Arrays.sort(values);
        int count = 0;
        for (int i = 0; i < values.length; i++) {
            if (i == 0 || values[i] != values[i - 1]) {
                values[count++] = values[i];
            }
        }
        return Arrays.copyOf(values, count);
    }
}
