package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A list of references as an argument: waited for and resolved as a single one is. */
class FanInTest extends StoreTest {

    static long sum(List<Integer> xs) {
        return xs.stream().mapToLong(Integer::longValue).sum();
    }

    static int plusOne(int x) {
        return x + 1;
    }

    static int failing(int x) {
        throw new IllegalStateException("element " + x);
    }

    static Integer nothing() {
        return null;
    }

    static final class Total {
        private final List<Integer> start;

        Total(List<Integer> start) {
            this.start = start;
        }

        long sum() {
            return FanInTest.sum(start);
        }
    }

    private static List<ObjectRef<Integer>> tasks(Batch b, int count) {
        List<ObjectRef<Integer>> refs = new ArrayList<>(count);
        for (int n = 0; n < count; n++) {
            refs.add(b.task(FanInTest::plusOne, n).remote());
        }
        return refs;
    }

    private static <T> T answer(ObjectRef<T> ref) {
        return ref.get(SOON);
    }

    @Test
    void a_task_runs_when_all_elements_are_there_and_no_thread_waits_for_them() throws Exception {
        CountDownLatch release = new CountDownLatch(1);
        AtomicInteger begun = new AtomicInteger();
        reopen(config -> config.taskSlots(1));
        try (Batch b = ray.startBatch()) {
            RayFunc0<Integer> late = () -> {
                release.await();
                return 7;
            };
            List<ObjectRef<Integer>> refs = List.of(b.put(1), b.task(late).remote(), b.task(FanInTest::plusOne, 1).remote());
            ObjectRef<Long> sum = b.task((List<Integer> xs) -> {
                begun.incrementAndGet();
                return sum(xs);
            }, refs).remote();
            // were a thread to wait for the list, the one CPU would be taken, and the elements could not run
            assertThat(ray.wait(List.of(sum), 1, A_MOMENT).ready()).isEmpty();
            assertThat(begun).hasValue(0);
            release.countDown();
            assertThat(answer(sum)).isEqualTo(10);
        }
    }

    @Test
    void lists_are_empty_have_duplicates_nulls_as_values_and_are_the_functions_own() {
        try (Batch b = ray.startBatch()) {
            assertThat(answer(b.task(FanInTest::sum, List.<ObjectRef<Integer>>of()).remote())).isZero();
            ObjectRef<Integer> five = b.task(FanInTest::plusOne, 4).remote();
            assertThat(answer(b.task(FanInTest::sum, Collections.nCopies(10_000, five)).remote())).isEqualTo(50_000);
            List<ObjectRef<Integer>> some = new ArrayList<>(List.of(five, b.task(FanInTest::nothing).remote()));
            RayFunc1<List<Integer>, String> changes = xs -> {
                xs.add(9);
                xs.set(0, 6);
                return xs.toString();
            };
            ObjectRef<String> text = b.task(changes, some).remote();
            some.clear();
            assertThat(answer(text)).isEqualTo("[6, null, 9]");
        }
    }

    @Test
    void null_elements_and_null_lists_are_refused() {
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<Integer>> withNull = Arrays.asList(b.put(1), null);
            assertThatThrownBy(() -> b.task(FanInTest::sum, withNull))
                    .isInstanceOf(InvalidArgumentException.class).hasMessageContaining("reference 1 of a list of 2 is null");
            assertThatThrownBy(() -> b.task(FanInTest::sum, (List<ObjectRef<Integer>>) null))
                    .isInstanceOf(InvalidArgumentException.class).hasMessageContaining("the list of references is null");
        }
    }

    @Test
    void many_thousand_elements_and_a_tree_of_lists() {
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<Integer>> refs = tasks(b, 20_000);
            assertThat(answer(b.task(FanInTest::sum, refs).remote())).isEqualTo(20_000L * 20_001 / 2);
            List<ObjectRef<Long>> partial = new ArrayList<>();
            for (int from = 0; from < refs.size(); from += 1000) {
                partial.add(b.task(FanInTest::sum, refs.subList(from, from + 1000)).remote());
            }
            ObjectRef<Long> all = b.task(
                    (List<Long> xs) -> xs.stream().mapToLong(Long::longValue).sum(), partial).remote();
            assertThat(answer(all)).isEqualTo(20_000L * 20_001 / 2);
        }
    }

    @Test
    void a_failed_element_fails_the_task_as_a_single_reference_does() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> bad = b.task(FanInTest::failing, 3).remote();
            List<ObjectRef<Integer>> refs = List.of(b.put(1), bad, b.put(2));
            assertThatThrownBy(() -> answer(b.task(FanInTest::sum, refs).remote()))
                    .isInstanceOf(TaskException.class).hasRootCauseInstanceOf(IllegalStateException.class)
                    .hasStackTraceContaining("element 3");
            // also when it has failed before
            assertThatThrownBy(() -> answer(bad)).isInstanceOf(TaskException.class);
            assertThatThrownBy(() -> answer(b.task(FanInTest::sum, refs).remote()))
                    .isInstanceOf(TaskException.class).hasStackTraceContaining("element 3");
        }
    }

    @Test
    void lost_elements_are_reconstructed_and_the_list_is_lineage() {
        AtomicInteger runs = new AtomicInteger();
        try (Batch b = ray.startBatch()) {
            RayFunc1<Integer, Integer> counted = x -> {
                runs.incrementAndGet();
                return x;
            };
            List<ObjectRef<Integer>> refs = new ArrayList<>();
            for (int n = 0; n < 50; n++) {
                refs.add(b.task(counted, n).remote());
            }
            ObjectRef<Long> sum = b.task(FanInTest::sum, refs).remote();
            assertThat(answer(sum)).isEqualTo(1225);
            assertThat(ray.free(refs.subList(10, 30))).isEqualTo(20);
            assertThat(answer(b.task(FanInTest::sum, refs).remote())).isEqualTo(1225);
            assertThat(runs).as("those that were lost ran again").hasValue(70);
            ray.free(refs);
            ray.free(sum);
            assertThat(answer(sum)).as("reconstructed, with its elements").isEqualTo(1225);
            assertThat(runs).hasValue(120);
        }
    }

    @Test
    void elements_of_a_collected_batch_are_made_again_for_a_dependent() {
        AtomicInteger runs = new AtomicInteger();
        try (Batch outer = ray.startBatch()) {
            ObjectRef<Long> sum;
            try (Batch inner = ray.startBatch()) {
                RayFunc1<Integer, Integer> counted = x -> {
                    runs.incrementAndGet();
                    return x;
                };
                List<ObjectRef<Integer>> refs = new ArrayList<>();
                for (int n = 0; n < 20; n++) {
                    refs.add(inner.task(counted, n).remote());
                }
                sum = outer.task((List<Integer> xs, Integer y) -> sum(xs) + y, refs, inner.put(1)).remote();
                assertThat(answer(sum)).isEqualTo(191);
            }
            ray.free(sum);
            // the put is no task's: it went with its batch, and the exception says so
            assertThatThrownBy(() -> answer(sum)).isInstanceOf(RayException.class).isNotInstanceOf(GetTimeoutException.class);
            ObjectRef<Long> other;
            try (Batch inner = ray.startBatch()) {
                other = outer.task(FanInTest::sum, List.of(
                        inner.task(FanInTest::plusOne, 1).remote(), inner.task(FanInTest::plusOne, 2).remote())).remote();
                assertThat(answer(other)).isEqualTo(5);
            }
            ray.free(other);
            assertThat(answer(other)).isEqualTo(5);
        }
    }

    @Test
    void an_actor_that_outlives_its_batch_keeps_copies_of_its_list() {
        try (Batch outer = ray.startBatch()) {
            ActorHandle<Total> total;
            try (Batch inner = ray.startBatch()) {
                total = inner.actor(Total::new, tasks(inner, 4)).faultTolerant(true).remote();
                assertThat(answer(total.task(Total::sum).remote())).isEqualTo(10);
                inner.keep(total);
            }
            ray.kill(total);
            assertThat(answer(total.task(Total::sum).remote())).as("rebuilt in " + outer).isEqualTo(10);
        }
    }

    @Test
    void a_task_that_waits_for_its_list_can_be_cancelled() {
        CountDownLatch release = new CountDownLatch(1);
        try (Batch b = ray.startBatch()) {
            RayFunc0<Integer> late = () -> {
                release.await(SOON.toSeconds(), TimeUnit.SECONDS);
                return 7;
            };
            List<ObjectRef<Integer>> refs = List.of(b.put(1), b.task(late).remote());
            ObjectRef<Long> sum = b.task(FanInTest::sum, refs).remote();
            assertThat(ray.cancel(sum)).isTrue();
            assertThatThrownBy(() -> answer(sum)).isInstanceOf(TaskCancelledException.class);
            release.countDown();
            assertThat(answer(b.task(FanInTest::sum, refs).remote())).isEqualTo(8);
        }
    }

    @Test
    void a_reference_of_another_store_is_refused_in_a_list_too() {
        try (RayApi other = open(config -> config); Batch b = ray.startBatch()) {
            ObjectRef<Integer> foreign = other.put(1);
            assertThatThrownBy(() -> b.task(FanInTest::plusOne, foreign).remote())
                    .isInstanceOf(ObjectNotFoundException.class).hasMessageContaining(other.storeName());
            assertThatThrownBy(() -> b.task(FanInTest::sum, List.of(b.put(1), foreign)).remote())
                    .isInstanceOf(ObjectNotFoundException.class).hasMessageContaining(other.storeName());
        }
    }
}
