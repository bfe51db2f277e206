package io.raybatch.examples.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.raybatch.EndReason;
import io.raybatch.Ray;
import io.raybatch.RayConfig;
import io.raybatch.examples.JobRes;
import io.raybatch.examples.JobSchedulerContext;
import io.raybatch.examples.RayJobScheduler;
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
    void belowARunOfNeighboursAreTheNodesOfTheNextHop() {
        List<String> visits = new ArrayList<>();
        Walk.below(kite(), 1, 1, 1, 2, (hop, node) -> visits.add(hop + ":" + node));
        assertThat(visits).as("around nodes 2 and 3").containsExactly("1:1", "1:3", "1:1", "1:2");
    }

    @Test
    void tasksGiveTheSameAnswersAndLeaveNothingButThem() {
        Graph graph = random(300, 4000);
        Requests requests = new Requests(graph, 10, 6);
        long[][] answers = requests.answers();
        Ray.init(RayConfig.builder().storeSize("64m").build());
        try (TaskRequest request = new TaskRequest(graph, Budget.DEFAULT, () -> { })) {
            RayJobScheduler scheduler = scheduler();
            for (int i = 0; i < requests.count(); i++) {
                scheduler.scheduleJob(request.from(requests.start(i)));
                scheduler.finishJob(request.jobId(), new JobRes(true));
                assertThat(request.sum()).isEqualTo(answers[i]);
                assertThat(Ray.get(request.answer())).as("kept").isEqualTo(answers[i]);
                int first = (Walk.branches(graph, requests.start(i)) + TaskRequest.WIDTH - 1) / TaskRequest.WIDTH;
                assertThat(request.tasks()).as("the start, the first hop, the second, and the last").isGreaterThan(2 + first);
            }
            assertThat(request.lost()).isZero();
            assertThat(Ray.instance().stats().objects()).as("the answers").isEqualTo(requests.count());
            assertThat(Ray.instance().stats().liveBatches()).isZero();
        } finally {
            Ray.shutdown();
        }
    }

    @Test
    void aTaskRequestOverItsBudgetIsCancelledAndLeavesNothing() {
        Graph graph = random(300, 9000);
        Requests requests = new Requests(graph, 10, 6);
        Ray.init(RayConfig.builder().storeSize("256m").build());
        try (TaskRequest request = new TaskRequest(graph, new Budget(0, true), () -> { })) {
            RayJobScheduler scheduler = scheduler();
            int cancelled = 0;
            for (int i = 0; i < requests.count(); i++) {
                scheduler.scheduleJob(request.from(requests.start(i)));
                Ray.destroyBatch(request.jobId());
                if (request.answer() == null) {
                    cancelled++;
                    assertThat(request.sum()).isNull();
                    assertThat(Ray.status(request.jobId()).reason()).contains(EndReason.CANCELLED);
                    assertThat(request.tasks()).isPositive();
                }
            }
            assertThat(cancelled).isPositive();
            assertThat(Ray.instance().stats().objects()).isEqualTo(requests.count() - cancelled);
            assertThat(Ray.instance().stats().liveBatches()).isZero();
        } finally {
            Ray.shutdown();
        }
    }

    private static RayJobScheduler scheduler() {
        RayJobScheduler scheduler = new RayJobScheduler();
        scheduler.init(new JobSchedulerContext(1));
        return scheduler;
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
