package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.raybatch.log.RecordingProvider;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which task is next, how many run at a time, and who waits until there is room for more. */
@Timeout(60)
class SchedulingTest extends StoreTest {

    /** What ran, in order. */
    private final List<String> order = Collections.synchronizedList(new ArrayList<>());

    /** Has the only slot until it is told. */
    private CountDownLatch occupyTheSlot() throws InterruptedException {
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        ray.task(() -> {
            running.countDown();
            go.await();
        }).batch(ray.startBatch(BatchOptions.builder().id(9).priority(Integer.MAX_VALUE).build())).remote();
        running.await();
        ray.setCurrentBatch(0);
        return go;
    }

    /** Tasks that take so long that each is taken by itself. */
    private List<ObjectRef<Void>> submit(Batch b, String name, int count) {
        List<ObjectRef<Void>> refs = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            refs.add(b.task(() -> {
                order.add(name);
                LockSupport.parkNanos(1_000_000);
            }).remote());
        }
        return refs;
    }

    private Batch batch(long id, int priority) {
        return ray.startBatch(BatchOptions.builder().id(id).priority(priority).build());
    }

    @Test
    void the_highest_priority_is_served_first_whoever_came_first() throws Exception {
        reopen(config -> config.taskSlots(1));
        CountDownLatch go = occupyTheSlot();
        List<ObjectRef<Void>> all = new ArrayList<>();
        all.addAll(submit(batch(1, -5), "low", 5));
        all.addAll(submit(batch(2, 0), "usual", 5));
        all.addAll(submit(batch(3, 7), "high", 5));
        all.addAll(submit(batch(4, -5), "low", 5));
        go.countDown();
        ray.get(all, SOON);
        assertThat(order.subList(0, 5)).containsOnly("high");
        assertThat(order.subList(5, 10)).containsOnly("usual");
        assertThat(order.subList(10, 20)).containsOnly("low");
    }

    @Test
    void a_task_may_have_another_priority_than_its_batch() throws Exception {
        reopen(config -> config.taskSlots(1));
        CountDownLatch go = occupyTheSlot();
        Batch b = batch(1, 0);
        List<ObjectRef<Void>> all = new ArrayList<>(submit(b, "usual", 5));
        all.add(b.task(() -> {
            order.add("urgent");
        }).priority(1).remote());
        all.add(b.task(() -> {
            order.add("leisurely");
        }).priority(-1).remote());
        all.addAll(submit(b, "usual", 5));
        go.countDown();
        ray.get(all, SOON);
        assertThat(order.get(0)).isEqualTo("urgent");
        assertThat(order.get(11)).isEqualTo("leisurely");
    }

    @Test
    void batches_of_one_priority_take_turns_and_a_newcomer_does_not_queue_behind_them() throws Exception {
        reopen(config -> config.taskSlots(1));
        CountDownLatch go = occupyTheSlot();
        List<ObjectRef<Void>> all = new ArrayList<>();
        all.addAll(submit(batch(1, 0), "a", 60));
        all.addAll(submit(batch(2, 0), "b", 30));
        all.addAll(submit(batch(3, 0), "newcomer", 1));
        go.countDown();
        ray.get(all, SOON);
        assertThat(order.indexOf("newcomer")).isLessThan(3);
        int a = 0;
        int b = 0;
        for (String name : order.subList(0, 60)) {
            a += name.equals("a") ? 1 : 0;
            b += name.equals("b") ? 1 : 0;
            assertThat(a - b).as("in turn: %s", order).isBetween(-2, 2);
        }
    }

    @Test
    void no_more_tasks_of_a_batch_run_at_a_time_than_it_may_have() {
        reopen(config -> config.taskSlots(4));
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        try (Batch b = ray.startBatch(BatchOptions.builder().maxTasks(2).build())) {
            List<ObjectRef<Void>> all = new ArrayList<>();
            for (int n = 0; n < 30; n++) {
                all.add(b.task(() -> {
                    most.accumulateAndGet(now.incrementAndGet(), Math::max);
                    Thread.sleep(2);
                    now.decrementAndGet();
                }).remote());
            }
            ray.get(all);
        }
        assertThat(most.get()).isBetween(1, 2);
    }

    @Test
    void a_batch_at_its_limit_is_passed_over_and_its_next_task_runs_when_one_waits() throws Exception {
        reopen(config -> config.taskSlots(2));
        Batch limited = ray.startBatch(BatchOptions.builder().id(1).maxTasks(1).priority(9).build());
        Batch other = ray.startBatch(2);
        RayApi here = ray;
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        ObjectRef<Void> first = limited.task(() -> {
            running.countDown();
            go.await();
        }).remote();
        running.await();
        ObjectRef<Integer> second = limited.task(() -> 2).remote();
        assertThat(other.task(() -> 3).remote().get(SOON)).as("with a lower priority").isEqualTo(3);
        assertThat(limited.status().tasks().ready()).isEqualTo(1);
        go.countDown();
        first.get(SOON);
        assertThat(second.get(SOON)).isEqualTo(2);
        assertThat(limited.task(() -> {
            // it waits, and the one that it waits for is of the same batch
            return here.task(() -> 4).remote().get();
        }).remote().get(SOON)).isEqualTo(4);
    }

    @Test
    void a_wide_task_has_its_slots_to_itself_and_is_not_overtaken_for_ever() {
        reopen(config -> config.taskSlots(4));
        RayApi here = ray;
        AtomicBoolean goOn = new AtomicBoolean(true);
        AtomicInteger narrow = new AtomicInteger();
        try (Batch many = ray.startBatch(); Batch b = ray.startBatch()) {
            for (int n = 0; n < 8; n++) {
                many.task(() -> {
                    chain(here, goOn, narrow);
                }).remote();
            }
            for (int n = 0; n < 5; n++) {
                int beside = b.task(() -> {
                    int most = 0;
                    for (int look = 0; look < 20; look++) {
                        most = Math.max(most, narrow.get());
                        Thread.sleep(1);
                    }
                    return most;
                }).cpus(4).remote().get(SOON);
                assertThat(beside).as("others that ran meanwhile").isZero();
            }
            int beside = b.task(() -> {
                int most = 0;
                for (int look = 0; look < 20; look++) {
                    most = Math.max(most, narrow.get());
                    Thread.sleep(1);
                }
                return most;
            }).cpus(3).remote().get(SOON);
            assertThat(beside).as("on the one slot that is left").isLessThanOrEqualTo(1);
            goOn.set(false);
        }
        assertThat(narrow).hasValue(0);
    }

    /** Runs for a moment, and has another one run after it. */
    private static void chain(RayApi here, AtomicBoolean goOn, AtomicInteger running) {
        running.incrementAndGet();
        LockSupport.parkNanos(300_000);
        if (goOn.get()) {
            here.task(() -> {
                chain(here, goOn, running);
            }).remote();
        }
        running.decrementAndGet();
    }

    @Test
    void a_submitter_waits_for_room_and_a_task_is_told_when_that_is_in_vain() {
        reopen(config -> config.taskSlots(1).maxPendingTasks(10));
        RayApi here = ray;
        AtomicInteger runs = new AtomicInteger();
        try (Batch b = ray.startBatch()) {
            for (int n = 0; n < 200; n++) {
                b.task(() -> {
                    runs.incrementAndGet();
                    Thread.sleep(1);
                }).remote();
            }
        }
        assertThat(runs).hasValue(200);
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> greedy = b.task(() -> {
                List<ObjectRef<Integer>> refs = new ArrayList<>();
                CountDownLatch never = new CountDownLatch(1);
                ObjectWriter gate = here.create(1);
                for (int n = 0; n < 50; n++) {
                    refs.add(here.task((byte[] x) -> 1, gate.ref()).remote());
                }
                never.await();
                return refs.size();
            }).remote();
            assertThatThrownBy(() -> greedy.get(SOON))
                    .isInstanceOf(TaskException.class)
                    .hasCauseInstanceOf(TooManyTasksException.class)
                    .hasMessageContaining("10 tasks are pending");
            ray.cancel(b);
        }
    }

    @Test
    void no_more_tasks_are_pending_than_may_be_and_who_waits_goes_on_in_time() throws Exception {
        reopen(config -> config.taskSlots(2).maxPendingTasks(8));
        RayApi here = ray;
        try (Batch b = ray.startBatch()) {
            List<CompletableFuture<Integer>> submitters = new ArrayList<>();
            AtomicInteger most = new AtomicInteger();
            for (int t = 0; t < 3; t++) {
                submitters.add(inThread(() -> {
                    int sum = 0;
                    for (int n = 0; n < 100; n++) {
                        ObjectRef<Integer> one = b.task(() -> {
                            LockSupport.parkNanos(100_000);
                            return 1;
                        }).remote();
                        most.accumulateAndGet((int) b.status().tasks().active(), Math::max);
                        sum += n % 10 == 0 ? one.get(SOON) : 1;
                    }
                    return sum;
                }));
            }
            ObjectRef<Integer> inside = b.task(() -> {
                List<ObjectRef<Integer>> refs = new ArrayList<>();
                for (int n = 0; n < 50; n++) {
                    refs.add(here.task(() -> 1).remote());
                }
                return here.get(refs).size();
            }).remote();
            for (CompletableFuture<Integer> submitter : submitters) {
                assertThat(join(submitter)).isEqualTo(100);
            }
            assertThat(inside.get(SOON)).as("a task waits for room as well, while others run").isEqualTo(50);
            assertThat(most.get()).isBetween(2, 8);
        }
    }

    @Test
    void a_policy_of_the_users_chooses_which_batch_is_next() throws Exception {
        List<List<BatchLoad>> seen = Collections.synchronizedList(new ArrayList<>());
        reopen(config -> config.taskSlots(1).schedulingPolicy(ready -> {
            seen.add(ready);
            return ready.stream().max((x, y) -> Long.compare(x.id(), y.id())).orElseThrow();
        }));
        CountDownLatch go = occupyTheSlot();
        Batch low = batch(100, 3);
        Batch high = batch(200, -3);
        List<ObjectRef<Void>> all = new ArrayList<>();
        all.addAll(submit(low, "low", 5));
        all.addAll(submit(high, "high", 5));
        go.countDown();
        ray.get(all, SOON);
        assertThat(order.subList(0, 5)).as("against their priorities").containsOnly("high");
        List<BatchLoad> both = seen.stream().filter(ready -> ready.size() == 2).findFirst().orElseThrow();
        assertThat(both).extracting(BatchLoad::id).containsExactlyInAnyOrder(100L, 200L);
        assertThat(both).extracting(BatchLoad::priority).containsExactlyInAnyOrder(3, -3);
        assertThat(both).allSatisfy(load -> {
            assertThat(load.ready()).isBetween(1L, 5L);
            assertThat(load.running()).isBetween(0L, 1L);
            assertThat(load.waiting()).isPositive();
        });
    }

    @Test
    void a_policy_that_throws_or_chooses_what_is_not_there_is_reported_and_does_without() {
        RecordingProvider.LOGGED.clear();
        for (SchedulingPolicy policy : List.<SchedulingPolicy>of(
                ready -> {
                    throw new IllegalStateException("no choice");
                },
                ready -> {
                    throw new StackOverflowError("no choice");
                },
                ready -> new BatchLoad(77, 0, 1, 0, Duration.ZERO),
                ready -> null)) {
            reopen(config -> config.taskSlots(2).schedulingPolicy(policy));
            try (Batch b = ray.startBatch()) {
                List<ObjectRef<Integer>> refs = new ArrayList<>();
                for (int n = 0; n < 50; n++) {
                    refs.add(b.task((Integer x) -> x, n).remote());
                }
                assertThat(ray.get(refs, SOON)).hasSize(50).startsWith(0, 1, 2);
            }
        }
        assertThat(RecordingProvider.LOGGED.stream().map(RecordingProvider.Entry::message)
                .filter(message -> message.contains("scheduling policy")))
                .as("each that is wrong, once; leaving it to raybatch is not")
                .hasSize(3)
                .anyMatch(message -> message.contains("chose BatchLoad[id=77"));
    }

    private static int fibonacci(RayApi here, int n) {
        if (n < 2) {
            return n;
        }
        ObjectRef<Integer> one = here.task(() -> fibonacci(here, n - 1)).remote();
        ObjectRef<Integer> two = here.task(() -> fibonacci(here, n - 2)).remote();
        return one.get() + two.get();
    }

    @Test
    void gets_within_gets_with_a_single_slot_do_not_deadlock() {
        reopen(config -> config.taskSlots(1));
        RayApi here = ray;
        try (Batch b = ray.startBatch(BatchOptions.builder().maxTasks(1).build())) {
            assertThat(b.task(() -> fibonacci(here, 9)).remote().get(SOON)).isEqualTo(34);
            assertThat(b.task(() -> {
                try (Batch inner = here.startBatch()) {
                    return inner.task(() -> here.task(() -> 5).remote().get()).remote().get();
                }
            }).remote().get(SOON)).as("a batch that ends within a task").isEqualTo(5);
        }
    }
}
