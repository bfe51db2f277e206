package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Tasks, as users write them. */
@Timeout(60)
class TaskTest extends StoreTest {

    static int one() {
        return 1;
    }

    static int add(int a, int b) {
        return a + b;
    }

    static String nothing() {
        return null;
    }

    static byte[] many(int n) {
        return new byte[n];
    }

    static List<String> words() {
        return List.of("a", "b", "c");
    }

    static long[] numbers() {
        return new long[] {1, 2};
    }

    static int failing(int x) {
        throw new IllegalStateException("boom " + x);
    }

    @Test
    void a_task_runs_in_the_current_batch_and_its_result_is_got() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> one = ray.task(TaskTest::one).remote();
            assertThat(one.batchId()).isEqualTo(b.id());
            assertThat(one.get()).isEqualTo(1);
            assertThat(ray.task(TaskTest::add, one, 5).remote().get(SOON)).isEqualTo(6);
            b.end();
            assertThat(b.status().tasks().done()).isEqualTo(2);
        }
        assertThat(ray.task(TaskTest::one).remote().batchId()).as("normal mode").isZero();
    }

    @Test
    void results_are_of_any_kind_null_too() {
        try (Batch b = ray.startBatch()) {
            assertThat(b.task(TaskTest::nothing).remote().get()).isNull();
            List<Integer> seen = new ArrayList<>();
            ObjectRef<Void> done = b.task((Integer x) -> {
                seen.add(x);
            }, 3).remote();
            assertThat(done.get()).isNull();
            assertThat(seen).containsExactly(3);
            assertThat(b.task(TaskTest::many, 10).remote().get()).hasSize(10);
            assertThat(b.task(TaskTest::many, 300_000).remote().get()).hasSize(300_000);
            assertThat(b.task(TaskTest::numbers).remote().get()).containsExactly(1, 2);
            assertThat(b.task(TaskTest::words).remote().get()).containsExactly("a", "b", "c");
            assertThat(ray.get(List.of(b.task(TaskTest::nothing).remote(), b.task(() -> "x").remote())))
                    .containsExactly(null, "x");
        }
    }

    @Test
    void a_task_has_several_results_when_it_is_asked_for_them() {
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<String>> words = b.task(TaskTest::words).remote(3);
            assertThat(ray.get(words)).containsExactly("a", "b", "c");
            List<ObjectRef<Long>> numbers = b.task(TaskTest::numbers).remote(2);
            assertThat(ray.get(numbers)).containsExactly(1L, 2L);
            List<ObjectRef<Object>> wrong = b.task(TaskTest::words).remote(2);
            assertThatThrownBy(() -> ray.get(wrong.get(1))).isInstanceOf(TaskException.class).hasMessageContaining("3 elements");
        }
    }

    @Test
    void a_failure_arrives_where_the_result_is_got_and_fails_who_needs_it() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> failing = b.task(TaskTest::failing, 7).remote();
            assertThatThrownBy(failing::get)
                    .isInstanceOf(TaskException.class)
                    .hasMessageContaining("TaskTest.failing")
                    .hasCauseInstanceOf(IllegalStateException.class)
                    .hasRootCauseMessage("boom 7");
            ObjectRef<Integer> dependent = b.task(TaskTest::add, failing, 1).remote();
            assertThatThrownBy(dependent::get).isInstanceOf(TaskException.class).hasRootCauseMessage("boom 7");
            b.end();
            assertThat(b.status().tasks().failed()).isEqualTo(2);
        }
    }

    @Test
    void a_task_that_fails_is_tried_again_as_often_as_it_may_be() {
        AtomicInteger runs = new AtomicInteger();
        RayFunc0<Integer> third = () -> {
            if (runs.incrementAndGet() < 3) {
                throw new IllegalStateException("not yet");
            }
            return runs.get();
        };
        try (Batch b = ray.startBatch()) {
            assertThat(b.task(third).retries(5).remote().get()).isEqualTo(3);
            runs.set(-10);
            assertThatThrownBy(() -> b.task(third).retries(2).remote().get()).hasRootCauseMessage("not yet");
            assertThat(runs).hasValue(-7);
        }
    }

    /** For functions that start tasks. */
    private static volatile RayApi here;

    static int fib(int n) {
        if (n < 2) {
            return n;
        }
        ObjectRef<Integer> a = here.task(TaskTest::fib, n - 1).remote();
        ObjectRef<Integer> b = here.task(TaskTest::fib, n - 2).remote();
        return a.get() + b.get();
    }

    @Test
    void tasks_start_tasks_and_wait_for_them_without_deadlock() {
        for (int slots : new int[] {1, 2, 5}) {
            reopen(config -> config.taskSlots(slots));
            here = ray;
            try (Batch b = ray.startBatch()) {
                assertThat(b.task(TaskTest::fib, 10).remote().get()).isEqualTo(55);
                b.end();
                assertThat(b.status().tasks().done()).isEqualTo(177);
            }
            assertThat(ray.task(TaskTest::fib, 7).remote().get()).as("in normal mode").isEqualTo(13);
        }
    }

    static int increment(RayApi client, int n) {
        return client.task(TaskTest::add, n, 1).remote().get();
    }

    @Test
    void each_client_of_the_store_has_its_tasks_run_by_the_owner() {
        try (RayApi other = RayApi.connect(ray.storeName()); Batch b = other.startBatch()) {
            ObjectRef<Integer> two = b.task(TaskTest::add, 1, 1).remote();
            assertThat(ray.ref(two.id(), Integer.class).get()).isEqualTo(2);
            assertThat(b.task(() -> increment(other, 4)).remote().get()).isEqualTo(5);
            other.setCurrentBatch(0);
            assertThat(other.task(TaskTest::add, 2, 1).remote().get()).isEqualTo(3);
            assertThat(ray.task(() -> increment(other, 5)).remote().get()).as("of another client").isEqualTo(6);
        }
    }

    @Test
    void a_tasks_puts_and_tasks_are_in_its_batch() {
        try (Batch b = ray.startBatch()) {
            RayApi here = ray;
            List<Long> batches = b.task(() -> {
                ObjectRef<String> put = here.put("x");
                ObjectRef<Integer> sub = here.task(TaskTest::one).remote();
                sub.get();
                put.get();
                return List.of(put.batchId(), sub.batchId(), here.currentBatch());
            }).remote().get();
            assertThat(batches).containsOnly(b.id());
        }
    }

    @Test
    void a_mutable_argument_is_as_it_was_when_it_was_handed_over() {
        try (Batch b = ray.startBatch()) {
            CountDownLatch begin = new CountDownLatch(1);
            int[] mutable = {1, 2, 3};
            ObjectRef<Integer> sum = b.task((int[] all) -> {
                begin.await();
                return IntStream.of(all).sum();
            }, mutable).remote();
            mutable[0] = 100;
            begin.countDown();
            assertThat(sum.get()).isEqualTo(6);
        }
    }

    @Test
    void many_tasks_are_all_done_once() {
        AtomicInteger runs = new AtomicInteger();
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<Integer>> refs = new ArrayList<>();
            RayFunc0<Integer> next = runs::incrementAndGet;
            for (int n = 0; n < 20_000; n++) {
                refs.add(b.task(next).remote());
            }
            assertThat(ray.get(refs)).doesNotHaveDuplicates().hasSize(20_000);
            assertThat(runs).hasValue(20_000);
        }
    }

    @Test
    void a_stage_completes_with_the_value_or_what_get_would_throw() throws Exception {
        try (Batch b = ray.startBatch()) {
            CountDownLatch begin = new CountDownLatch(1);
            ObjectRef<Integer> later = b.task(() -> {
                begin.await();
                return 5;
            }).remote();
            var stage = later.stage().toCompletableFuture();
            assertThat(stage).isNotDone();
            begin.countDown();
            assertThat(stage.get(20, TimeUnit.SECONDS)).isEqualTo(5);
            assertThat(later.stage().toCompletableFuture()).isCompletedWithValue(5);
            assertThat(b.task(TaskTest::failing, 1).remote().stage().toCompletableFuture())
                    .failsWithin(SOON)
                    .withThrowableThat()
                    .havingCause()
                    .isInstanceOf(TaskException.class);
        }
    }
}
