package io.raybatch.examples.demo;

import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** The plan that both runs follow: where each request starts, how large it is, and what it must answer. */
final class Requests {

    /** What an object costs in the store beyond its payload: its entry in the index. */
    private static final long ENTRY_BYTES = 16;
    /** What an object of a request takes. */
    static final long OBJECT_BYTES = Features.BYTES + ENTRY_BYTES;

    /** What a hop's features count for in an answer. */
    private static final long[] WEIGHTS = {0xd1342543de82ef95L, 0xaf251af3b0f025b5L, 0x9fb21c651e98df25L};

    private final Graph graph;
    private final long seed;
    private final int[] starts;
    private final int[] sizes;
    private final int largest;

    /** From nodes drawn in proportion to degree. */
    Requests(Graph graph, int count, long seed) {
        this(graph, seed, new SplittableRandom(seed).ints(count, 0, 2 * graph.edges()).map(graph::end).toArray());
    }

    private Requests(Graph graph, long seed, int[] starts) {
        this.graph = graph;
        this.seed = seed;
        this.starts = starts;
        sizes = IntStream.of(starts).map(start -> Walk.size(graph, start)).toArray();
        largest = IntStream.of(sizes).max().orElse(0);
    }

    /** Small ones: from those of many nodes with the fewest objects. */
    static Requests smallest(Graph graph, int count, long seed) {
        int many = Math.min(graph.nodes(), 100 * count);
        int[] starts = new SplittableRandom(seed).ints(0, graph.nodes()).distinct().limit(many).boxed()
                .sorted(Comparator.comparing(start -> Walk.size(graph, start)))
                .mapToInt(start -> start).limit(count).toArray();
        return new Requests(graph, seed, starts);
    }

    Graph graph() {
        return graph;
    }

    long seed() {
        return seed;
    }

    int count() {
        return starts.length;
    }

    int start(int request) {
        return starts[request];
    }

    /** Objects of one request. */
    int size(int request) {
        return sizes[request];
    }

    int largest() {
        return largest;
    }

    /** What the largest takes, its entries in the index included. */
    long largestBytes() {
        return largest * OBJECT_BYTES;
    }

    static long weight(int hop) {
        return WEIGHTS[hop];
    }

    /** 1.25 × what the long job and the largest request take, their entries in the index included. */
    long storeBytes() {
        long longJob = SignatureJob.OBJECTS * (SignatureJob.BYTES + ENTRY_BYTES);
        return (longJob + largestBytes()) * 5 / 4;
    }

    /**
     * What each request must answer, without a store and without visiting the whole tree: the last hop is summed up once for
     * each node and not for each path.
     */
    long[][] answers() {
        long[] around = new long[Math.multiplyExact(graph.nodes(), Features.WORDS)];
        boolean[] known = new boolean[graph.nodes()];
        long[][] answers = new long[count()][];
        for (int i = 0; i < answers.length; i++) {
            answers[i] = answer(starts[i], around, known);
        }
        return answers;
    }

    private long[] answer(int start, long[] around, boolean[] known) {
        long[] answer = new long[Features.WORDS];
        add(answer, WEIGHTS[0], around, sumAround(start, around, known));
        for (int at = graph.from(start); at < graph.to(start, Walk.FANOUT); at++) {
            int child = graph.end(at);
            add(answer, WEIGHTS[1], around, sumAround(child, around, known));
            for (int below = graph.from(child); below < graph.to(child, Walk.FANOUT); below++) {
                add(answer, WEIGHTS[2], around, sumAround(graph.end(below), around, known));
            }
        }
        return answer;
    }

    /** Where in {@code around} the sum of the features of a node's first neighbours is. */
    private int sumAround(int node, long[] around, boolean[] known) {
        int base = node * Features.WORDS;
        if (!known[node]) {
            known[node] = true;
            for (int at = graph.from(node); at < graph.to(node, Walk.FANOUT); at++) {
                for (int k = 0; k < Features.WORDS; k++) {
                    around[base + k] += Features.word(graph.end(at), k);
                }
            }
        }
        return base;
    }

    private static void add(long[] answer, long weight, long[] sums, int base) {
        for (int k = 0; k < Features.WORDS; k++) {
            answer[k] += weight * sums[base + k];
        }
    }
}
