package io.raybatch.examples.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class RequestsTest {

    /** 0 – 1 – 2 – 3, and 1 – 3. */
    private static Graph kite() {
        GraphBuilder builder = new GraphBuilder();
        builder.edge(0, 1);
        builder.edge(1, 2);
        builder.edge(2, 3);
        builder.edge(1, 3);
        return builder.build("kite");
    }

    static Graph random(int nodes, int edges) {
        GraphBuilder builder = new GraphBuilder();
        SplittableRandom random = new SplittableRandom(5);
        for (int i = 0; i < edges; i++) {
            builder.edge(random.nextInt(nodes), random.nextInt(nodes));
        }
        return builder.build("random");
    }

    @Test
    void theWalkGoesHopByHopInAscendingOrderAndBacktracks() {
        List<String> visits = new ArrayList<>();
        Walk.walk(kite(), 0, 0, (hop, node) -> visits.add(hop + ":" + node));
        assertThat(visits).containsExactly("0:1", "1:0", "1:2", "1:3", "2:1", "2:1", "2:3", "2:1", "2:2");
        assertThat(Walk.branches(kite(), 0)).isEqualTo(1);
        assertThat(Walk.size(kite(), 0)).isEqualTo(visits.size());
    }

    @Test
    void branchesAreTheNeighboursOfTheStart() {
        List<String> visits = new ArrayList<>();
        Walk.walk(kite(), 1, 2, (hop, node) -> visits.add(hop + ":" + node));
        assertThat(visits).as("node 3, its neighbours, and theirs").containsExactly("0:3", "1:1", "1:2", "2:0", "2:2", "2:3", "2:1", "2:3");
        assertThat(Walk.size(kite(), 1, 2)).isEqualTo(visits.size());
        assertThat(Walk.branches(kite(), 1)).isEqualTo(3);
    }

    @Test
    void aHopTakesTheFirst300Neighbours() {
        GraphBuilder star = new GraphBuilder();
        for (int leaf = 1; leaf <= 1000; leaf++) {
            star.edge(0, leaf);
        }
        Graph graph = star.build("star");
        assertThat(Walk.size(graph, 0)).as("300 leaves, 300 ways back, 300 times 300").isEqualTo(300 + 300 + 90_000);
        assertThat(Walk.size(graph, 7)).as("the hub, 300 leaves, 300 ways back").isEqualTo(1 + 300 + 300);
    }

    @Test
    void theSameSeedDrawsTheSameStarts() {
        Graph graph = random(500, 3000);
        Requests once = new Requests(graph, 50, 9);
        Requests again = new Requests(graph, 50, 9);
        for (int i = 0; i < 50; i++) {
            assertThat(once.start(i)).isEqualTo(again.start(i));
            assertThat(once.size(i)).isEqualTo(Walk.size(graph, once.start(i))).isLessThanOrEqualTo(once.largest());
        }
    }

    @Test
    void startsAreDrawnInProportionToDegree() {
        Requests requests = new Requests(kite(), 8000, 3);
        int[] drawn = new int[4];
        for (int i = 0; i < requests.count(); i++) {
            drawn[requests.start(i)]++;
        }
        for (int node = 0; node < 4; node++) {
            assertThat(drawn[node]).isBetween(1000 * kite().degree(node) - 200, 1000 * kite().degree(node) + 200);
        }
    }

    @Test
    void theExpectedAnswerIsTheWeightedSumOverTheWholeTree() {
        Graph graph = random(200, 2000);
        Requests requests = new Requests(graph, 20, 4);
        long[][] answers = requests.answers();
        for (int i = 0; i < 20; i++) {
            long[] sum = new long[Features.WORDS];
            for (int branch = 0; branch < Walk.branches(graph, requests.start(i)); branch++) {
                Walk.walk(graph, requests.start(i), branch, (hop, node) -> {
                    for (int k = 0; k < Features.WORDS; k++) {
                        sum[k] += Requests.weight(hop) * Features.word(node, k);
                    }
                });
            }
            assertThat(answers[i]).isEqualTo(sum);
        }
    }
}
