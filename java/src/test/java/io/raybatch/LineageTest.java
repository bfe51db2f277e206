package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What is made again, how often, of what, and what cannot be. */
class LineageTest extends TaskStoreTest {

    private final AtomicInteger runs = new AtomicInteger();

    private RayFunc1<Integer, byte[]> counted() {
        return n -> {
            runs.incrementAndGet();
            return bytes(n, 1000 + n);
        };
    }

    @Test
    void a_chain_that_was_freed_is_made_again_each_task_once_for_all_who_wait() {
        try (Batch batch = ray.startBatch()) {
            List<ObjectRef<Integer>> chain = new ArrayList<>();
            chain.add(batch.task(() -> runs.incrementAndGet() * 0).remote());
            for (int n = 1; n < 100; n++) {
                chain.add(batch.task((Integer x) -> x + 1 + runs.incrementAndGet() * 0, chain.get(n - 1)).remote());
            }
            ObjectRef<Integer> last = chain.get(99);
            assertThat(last.get()).isEqualTo(99);
            ray.free(chain);
            List<CompletableFuture<Integer>> gets = new ArrayList<>();
            for (int n = 0; n < 4; n++) {
                gets.add(inThread(last::get));
            }
            gets.forEach(get -> assertThat(join(get)).isEqualTo(99));
            assertThat(runs).as("each once at first, and once again").hasValue(200);
        }
    }

    @Test
    void several_results_are_made_again_together_and_what_is_there_stays() {
        try (Batch batch = ray.startBatch()) {
            RayFunc0<List<Integer>> pair = () -> {
                int run = runs.incrementAndGet();
                return List.of(run, 10 * run);
            };
            List<ObjectRef<Integer>> results = batch.task(pair).remote(2);
            assertThat(ray.get(results)).containsExactly(1, 10);
            ray.free(results.get(1));
            assertThat(results.get(1).get()).as("of the second run").isEqualTo(20);
            assertThat(results.get(0).get()).as("was there").isEqualTo(1);
        }
    }

    @Test
    void a_run_again_finds_arguments_as_they_were_handed_over() {
        try (Batch batch = ray.startBatch()) {
            int[] mutable = {1, 2, 3};
            List<Integer> list = new ArrayList<>(List.of(4));
            ObjectRef<Integer> sum = batch.task((int[] a, List<Integer> b) -> {
                int all = a[0] + a[1] + a[2] + b.get(0);
                a[0] = 1000; // its own copy
                return all;
            }, mutable, list).remote();
            mutable[0] = 100;
            list.set(0, 100);
            assertThat(sum.get()).isEqualTo(10);
            ray.free(sum);
            assertThat(sum.get()).isEqualTo(10);
        }
    }

    @Test
    void what_a_driver_put_is_lost_when_it_is_freed_and_fails_who_needs_it() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Integer> put = batch.put(4);
            ObjectRef<Integer> result = batch.task(TaskStoreTest::twice, put).remote();
            assertThat(result.get()).isEqualTo(8);
            ray.free(put, result);
            assertThatThrownBy(() -> put.get(SOON)).isInstanceOf(ObjectLostException.class);
            assertThatThrownBy(() -> result.get(SOON)).isInstanceOf(ObjectLostException.class).hasMessageContaining(put.toString());
            ObjectRef<Integer> later = batch.task(TaskStoreTest::twice, put).remote();
            assertThatThrownBy(() -> later.get(SOON)).isInstanceOf(ObjectLostException.class).hasMessageContaining(put.toString());
        }
    }

    @Test
    void what_was_evicted_from_normal_mode_is_made_again() {
        reopen(config -> config.storeSize("8m"));
        List<ObjectRef<byte[]>> refs = new ArrayList<>();
        for (int n = 0; n < 40; n++) {
            refs.add(ray.task((Integer k) -> bytes(k, 500_000), n).remote());
            refs.get(n).get();
        }
        assertThat(refs).as("there is no room for all").anyMatch(ref -> !ray.contains(ref));
        for (int n = 0; n < 40; n++) {
            assertThat(refs.get(n).get()).isEqualTo(bytes(n, 500_000));
        }
        ObjectRef<Integer> of = ray.task((byte[] x) -> x.length, refs.get(0)).remote();
        assertThat(of.get()).as("as an argument").isEqualTo(500_000);
    }

    @Test
    void a_run_again_that_fails_says_so() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Integer> once = batch.task(() -> {
                if (runs.incrementAndGet() > 1) {
                    throw new IllegalStateException("only once");
                }
                return 1;
            }).remote();
            assertThat(once.get()).isEqualTo(1);
            ray.free(once);
            assertThatThrownBy(() -> once.get(SOON)).isInstanceOf(TaskException.class).hasRootCauseMessage("only once");
        }
    }

    @Test
    void free_recursive_takes_arguments_that_nobody_else_needs() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> shared = batch.task(counted(), 1).remote();
            ObjectRef<byte[]> own = batch.task(counted(), 2).remote();
            ObjectRef<Integer> one = batch.task((byte[] x, byte[] y) -> x.length + y.length, shared, own).remote();
            ObjectRef<Integer> two = batch.task((byte[] x) -> x.length, shared).remote();
            assertThat(ray.get(List.of(one, two))).containsExactly(2003, 1001);
            assertThat(ray.free(List.of(one), true)).isEqualTo(2);
            assertThat(List.of(ray.contains(shared), ray.contains(own), ray.contains(two))).containsExactly(true, false, true);
            assertThat(one.get()).isEqualTo(2003);
            assertThat(runs).as("own was made again").hasValue(3);
            assertThat(ray.free(List.of(one, two), true)).isEqualTo(4);
        }
    }

    @Test
    void a_kept_result_has_no_lineage_when_its_maker_is_collected() {
        try (Batch outer = ray.startBatch()) {
            ObjectRef<Integer> kept;
            try (Batch inner = ray.startBatch()) {
                kept = inner.task(TaskStoreTest::twice, 2).remote();
                inner.keep(kept);
            }
            assertThat(kept.get()).isEqualTo(4);
            ObjectRef<Integer> of = outer.task(TaskStoreTest::twice, kept).remote();
            assertThat(of.get()).isEqualTo(8);
            ray.free(of);
            assertThat(of.get()).as("made of the kept one again").isEqualTo(8);
        }
    }

    @Test
    void a_get_within_a_task_has_lost_objects_made_again_with_a_single_slot() {
        reopen(config -> config.taskSlots(1));
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> first = batch.task(counted(), 1).remote();
            first.get();
            ray.free(first);
            assertThat(batch.task(() -> first.get().length).remote().get()).isEqualTo(1001);
            assertThat(runs).hasValue(2);
        }
    }

    @Test
    void an_object_freed_again_and_again_while_many_tasks_take_it_is_there_for_each() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> argument = batch.task(counted(), 5).remote();
            List<ObjectRef<Integer>> taken = new ArrayList<>();
            CountDownLatch stop = new CountDownLatch(1);
            CompletableFuture<Integer> frees = inThread(() -> {
                int freed = 0;
                while (stop.getCount() > 0) {
                    freed += ray.free(argument);
                }
                return freed;
            });
            for (int n = 0; n < 300; n++) {
                taken.add(batch.task((byte[] x) -> x.length, argument).remote());
            }
            try {
                assertThat(ray.get(taken)).containsOnly(1005);
            } finally {
                stop.countDown();
            }
            assertThat(join(frees)).isNotNegative();
        }
    }

    /** As the discussion has it: {@code ray.unsafe_evict(xid, recursive=True)} evicts xid, but also a and b. */
    @Test
    void unsafe_evict_takes_an_object_and_recursively_the_orphans_it_was_made_of() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> a = batch.task(counted(), 1).remote();
            ObjectRef<byte[]> b = batch.task(counted(), 2).remote();
            ObjectRef<Integer> x = batch.task((byte[] one, byte[] two) -> one.length + two.length, a, b).remote();
            assertThat(x.get()).isEqualTo(2003);
            ray.internal().pin(b);
            assertThat(ray.internal().unsafeEvict(List.of(x), false)).isEqualTo(1);
            assertThat(List.of(ray.contains(x), ray.contains(a), ray.contains(b))).containsExactly(false, true, true);
            assertThat(x.get()).as("made again, of what is there").isEqualTo(2003);
            assertThat(runs).hasValue(2);
            assertThat(ray.internal().unsafeEvict(List.of(x, b), true)).as("b is pinned no more").isEqualTo(3);
            assertThat(List.of(ray.contains(x), ray.contains(a), ray.contains(b))).containsOnly(false);
            assertThat(ray.internal().unpin(b)).isFalse();
            assertThat(x.get()).as("made again, with all it takes").isEqualTo(2003);
            assertThat(runs).hasValue(4);
        }
    }

    @Test
    void unsafe_evict_of_what_was_put_loses_it_and_leaves_a_reader_what_it_holds() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> put = batch.put(bytes(1, 100_000));
            try (ObjectView view = ray.read(put)) {
                assertThat(ray.internal().unsafeEvict(List.of(put), true)).as("at once").isZero();
                assertThat(view.size()).isEqualTo(100_000);
                assertThat(view.get(99_999)).isEqualTo(bytes(1, 100_000)[99_999]);
            }
            assertThatThrownBy(() -> ray.get(put)).isInstanceOf(ObjectLostException.class);
            assertThat(batch.status().bytes()).isZero();
        }
    }
}
