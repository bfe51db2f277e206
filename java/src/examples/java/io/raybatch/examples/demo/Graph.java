package io.raybatch.examples.demo;

/**
 * An undirected graph without loops or duplicate edges, as two arrays: the neighbours of node {@code v} are
 * {@code neighbours[offsets[v]] … neighbours[offsets[v + 1] - 1]}, in ascending order.
 */
final class Graph {

    private final String name;
    private final int[] offsets;
    private final int[] neighbours;
    private final Features features;

    /** Takes the arrays over. */
    Graph(String name, int[] offsets, int[] neighbours) {
        this.name = name;
        this.offsets = offsets;
        this.neighbours = neighbours;
        this.features = new Features(offsets.length - 1);
    }

    /** What is known of its nodes. */
    Features features() {
        return features;
    }

    String name() {
        return name;
    }

    int nodes() {
        return offsets.length - 1;
    }

    int edges() {
        return neighbours.length / 2;
    }

    int degree(int node) {
        return offsets[node + 1] - offsets[node];
    }

    /** Where the node's neighbours begin among all ends of edges. */
    int from(int node) {
        return offsets[node];
    }

    /** Where the first {@code limit} of the node's neighbours end, or all if it has fewer. */
    int to(int node, int limit) {
        return Math.min(offsets[node + 1], offsets[node] + limit);
    }

    /**
     * One end of an edge, {@code 0 … 2 * edges() - 1}. A node is as many of them as its degree: a uniform draw among them
     * draws nodes in proportion to degree.
     */
    int end(int at) {
        return neighbours[at];
    }
}
