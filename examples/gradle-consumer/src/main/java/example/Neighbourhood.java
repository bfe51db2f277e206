package example;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import java.util.BitSet;
import java.util.stream.IntStream;

/** Who is how near in a graph. Each hop's frontier is an object of the request's batch; only the answer outlives it. */
public final class Neighbourhood {

    private final RayApi ray;
    private final int[][] neighbours;

    /** {@code neighbours[v]} are those of node v. */
    public Neighbourhood(RayApi ray, int[][] neighbours) {
        this.ray = ray;
        this.neighbours = neighbours;
    }

    /**
     * The nodes within some hops of a node, itself included, in ascending order: a kept object, owned by the batch that is
     * current in the caller.
     */
    public ObjectRef<int[]> within(int hops, int start) {
        try (Batch request = ray.startBatch()) {
            BitSet seen = new BitSet(neighbours.length);
            seen.set(start);
            ObjectRef<int[]> frontier = request.put(new int[] {start});
            for (int hop = 0; hop < hops; hop++) {
                frontier = request.put(IntStream.of(frontier.get())
                        .flatMap(node -> IntStream.of(neighbours[node]))
                        .filter(node -> !seen.get(node))
                        .distinct()
                        .toArray());
                IntStream.of(frontier.get()).forEach(seen::set);
            }
            ObjectRef<int[]> answer = request.put(seen.stream().toArray());
            request.keep(answer);
            return answer;
        }
    }

    /** Prints who is within two hops of each node of a ring of eight. */
    public static void main(String[] args) {
        int[][] ring = IntStream.range(0, 8).mapToObj(v -> new int[] {(v + 7) % 8, (v + 1) % 8}).toArray(int[][]::new);
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("64m").build())) {
            Neighbourhood near = new Neighbourhood(ray, ring);
            for (int v = 0; v < ring.length; v++) {
                System.out.println(v + ": " + IntStream.of(near.within(2, v).get()).boxed().toList());
            }
        }
    }
}
