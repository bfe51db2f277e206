package io.raybatch.examples.demo;

/**
 * The walk tree of a request: from a start node three hops, at each the first 300 neighbours in ascending order, backtracking
 * allowed. Hop after hop; within a hop in the order of the tree. The same start gives the same order.
 */
final class Walk {

    static final int HOPS = 3;
    static final int FANOUT = 300;

    private Walk() {}

    /** Is shown each node of the tree. */
    @FunctionalInterface
    interface Visitor {

        /** Hops count from 0. */
        void visit(int hop, int node);
    }

    static void walk(Graph graph, int start, Visitor visitor) {
        for (int hop = 0; hop < HOPS; hop++) {
            descend(graph, start, hop, hop, visitor);
        }
    }

    private static void descend(Graph graph, int node, int deeper, int hop, Visitor visitor) {
        int to = graph.to(node, FANOUT);
        if (deeper == 0) {
            for (int at = graph.from(node); at < to; at++) {
                visitor.visit(hop, graph.end(at));
            }
        } else {
            for (int at = graph.from(node); at < to; at++) {
                descend(graph, graph.end(at), deeper - 1, hop, visitor);
            }
        }
    }

    /** Nodes of the tree: n1 + n2 + n3. */
    static int size(Graph graph, int start) {
        int n = 0;
        int to = graph.to(start, FANOUT);
        for (int at = graph.from(start); at < to; at++) {
            int child = graph.end(at);
            int childTo = graph.to(child, FANOUT);
            n += 1 + childTo - graph.from(child);
            for (int childAt = graph.from(child); childAt < childTo; childAt++) {
                int grandchild = graph.end(childAt);
                n += graph.to(grandchild, FANOUT) - graph.from(grandchild);
            }
        }
        return n;
    }
}
