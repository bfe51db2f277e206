package io.raybatch.examples.demo;

/**
 * The walk tree of a request: from a start node three hops, at each the first 300 neighbours in ascending order, backtracking
 * allowed. It is walked branch by branch, a branch being one neighbour of the start and all below it; within a branch hop after
 * hop, and within a hop in the order of the tree. The same start gives the same order.
 */
final class Walk {

    static final int HOPS = 3;
    static final int FANOUT = 300;

    private Walk() {}

    /** Goes through a part of the tree, each time in the same order. */
    @FunctionalInterface
    interface Part {

        void walk(Visitor visitor);
    }

    /** Is shown each node of a branch. */
    @FunctionalInterface
    interface Visitor {

        /** Hops count from 0. */
        void visit(int hop, int node);
    }

    /** Branches of the tree, or of what lies below any other node of it. */
    static int branches(Graph graph, int start) {
        return graph.to(start, FANOUT) - graph.from(start);
    }

    /** The node at which a branch begins. */
    static int branch(Graph graph, int start, int branch) {
        return graph.end(graph.from(start) + branch);
    }

    /** Goes through one branch. */
    static void walk(Graph graph, int start, int branch, Visitor visitor) {
        int child = branch(graph, start, branch);
        visitor.visit(0, child);
        int to = graph.to(child, FANOUT);
        for (int at = graph.from(child); at < to; at++) {
            visitor.visit(1, graph.end(at));
        }
        for (int at = graph.from(child); at < to; at++) {
            int grandchild = graph.end(at);
            int end = graph.to(grandchild, FANOUT);
            for (int below = graph.from(grandchild); below < end; below++) {
                visitor.visit(2, graph.end(below));
            }
        }
    }

    /** Goes through the neighbours of a node, which are at that hop. */
    static void around(Graph graph, int hop, int node, Visitor visitor) {
        int to = graph.to(node, FANOUT);
        for (int at = graph.from(node); at < to; at++) {
            visitor.visit(hop, graph.end(at));
        }
    }

    /** Goes through the neighbours of {@code count} neighbours of a node, from the {@code first} on; they are at that hop. */
    static void below(Graph graph, int hop, int node, int first, int count, Visitor visitor) {
        for (int n = first; n < first + count; n++) {
            around(graph, hop, branch(graph, node, n), visitor);
        }
    }

    /** Nodes of one branch. */
    static int size(Graph graph, int start, int branch) {
        int child = branch(graph, start, branch);
        int to = graph.to(child, FANOUT);
        int n = 1 + to - graph.from(child);
        for (int at = graph.from(child); at < to; at++) {
            int grandchild = graph.end(at);
            n += graph.to(grandchild, FANOUT) - graph.from(grandchild);
        }
        return n;
    }

    /** Nodes of the tree: n1 + n2 + n3. */
    static int size(Graph graph, int start) {
        int n = 0;
        for (int branch = 0; branch < branches(graph, start); branch++) {
            n += size(graph, start, branch);
        }
        return n;
    }
}
