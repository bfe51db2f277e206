package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

@SuppressWarnings("try") // handles are closed early on purpose
class CurrentBatchTest extends StoreTest {

    @Test
    void put_goes_into_the_current_batch_and_an_explicit_handle_wins() {
        try (Batch outer = ray.startBatch()) {
            try (Batch inner = ray.startBatch(BatchOptions.named("inner"))) {
                assertThat(ray.put(1).batchId()).isEqualTo(inner.id());
                assertThat(outer.put(1).batchId()).isEqualTo(outer.id());
                assertThat(ray.create(10).id().batch()).isEqualTo(inner.id());
                assertThat(inner.status().parent()).isEqualTo(outer.id());
                assertThat(inner.name()).isEqualTo("inner");
                assertThat(outer.status().children()).containsExactly(inner.id());
            }
            assertThat(ray.put(1).batchId()).isEqualTo(outer.id());
        }
        assertThat(ray.put(1).batchId()).isZero();
    }

    @Test
    void a_batch_with_an_id_of_the_callers_is_a_child_of_the_root_whatever_is_current() {
        try (Batch outer = ray.startBatch()) {
            Batch driver = ray.startBatch(7);
            assertThat(driver.status().parent()).isZero();
            assertThat(ray.currentBatch()).isEqualTo(7);
            assertThatThrownBy(() -> ray.startBatch(7)).isInstanceOf(BatchExistsException.class);
            try (Batch inner = ray.startBatch()) {
                assertThat(inner.status().parent()).isEqualTo(7);
            }
            try (Batch elsewhere = ray.startBatch(BatchOptions.builder().parent(outer).build())) {
                assertThat(elsewhere.status().parent()).isEqualTo(outer.id());
            }
            try (Batch byId = ray.startBatch(BatchOptions.builder().id(8).parent(7).build())) {
                assertThat(byId.status().parent()).isEqualTo(7);
            }
            driver.close();
            assertThat(ray.currentBatch()).isEqualTo(outer.id());
        }
    }

    @Test
    void a_current_batch_that_was_closed_elsewhere_refuses_new_work_until_it_is_closed_here() {
        Batch outer = ray.startBatch();
        Batch inner = ray.startBatch();
        join(inThread(() -> {
            inner.close();
            return null;
        }));
        assertThat(ray.currentBatch()).isEqualTo(inner.id());
        assertNoNewWork(inner, EndReason.CLOSED);
        try (Batch root = ray.startBatch(BatchOptions.builder().root().build())) {
            assertThat(root.status().parent()).isZero();
            assertThat(ray.put(1).batchId()).isEqualTo(root.id());
        }
        assertThat(outer.put(1).batchId()).as("an explicit handle wins").isEqualTo(outer.id());
        inner.close();
        assertThat(ray.put(1).batchId()).isEqualTo(outer.id());
        outer.close();
        assertThat(ray.put(1).batchId()).isZero();
    }

    @Test
    void one_that_ended_with_the_batch_around_it_says_so_and_names_that() {
        Batch outer = ray.startBatch(BatchOptions.named("around"));
        Batch inner = ray.startBatch();
        outer.close();
        assertThatThrownBy(() -> ray.put(1)).isInstanceOf(BatchEndedException.class)
                .hasMessageContaining("ended with batch " + outer.id() + " 'around' around it");
        assertThat(inner.status().endedWith()).hasValue(outer.id());
        assertThat(outer.status().endedWith()).isEmpty();
        inner.close();
        assertThat(ray.currentBatch()).isZero();
    }

    /** All ways to new work without a handle. */
    private void assertNoNewWork(Batch ended, EndReason reason) {
        List<ThrowingCallable> all = List.of(
                () -> ray.put(1), () -> ray.create(10), () -> ray.startBatch(),
                () -> ray.startBatch(BatchOptions.named("n")), () -> ray.task(() -> 1).remote(),
                () -> ray.task(() -> List.of(1, 2)).remote(2), () -> ray.actor(StringBuilder::new).remote());
        for (ThrowingCallable work : all) {
            assertThatThrownBy(work).isInstanceOfSatisfying(BatchEndedException.class, e -> {
                assertThat(e.batchId()).hasValue(ended.id());
                assertThat(e.batchEndReason()).contains(reason);
            });
        }
    }

    @Test
    void after_a_timeout_and_a_cancellation_new_work_fails_and_says_why() {
        Batch b = ray.startBatch(BatchOptions.builder().timeout(Duration.ofMillis(1)).build());
        awaitEnd(b);
        assertNoNewWork(b, EndReason.TIMED_OUT);
        assertThatThrownBy(() -> ray.put(1)).isInstanceOf(BatchTimedOutException.class).hasMessageContaining("after 1 ms");
        b.close();
        Batch c = ray.startBatch();
        ray.cancel(c);
        assertNoNewWork(c, EndReason.CANCELLED);
        c.close();
        Batch d = ray.startBatch();
        Callable<Long> wrapped = d.wrap(() -> ray.put(1).batchId());
        d.close();
        assertThatThrownBy(wrapped::call).isInstanceOf(BatchEndedException.class);
        assertThat(ray.put(1).batchId()).isZero();
        assertThat(ray.list().stream().filter(o -> o.id().batch() != 0)).isEmpty();
    }

    private static void awaitEnd(Batch b) {
        long until = System.nanoTime() + SOON.toNanos();
        while (b.status().state().isOpen() && System.nanoTime() < until) {
            Thread.onSpinWait();
        }
        assertThat(b.status().state().isOpen()).isFalse();
    }

    @Test
    void a_batch_started_by_its_id_is_current_no_longer_on_any_thread_once_it_is_ended_by_it() {
        for (Consumer<Long> end : List.<Consumer<Long>>of(
                id -> ray.endBatch(id), id -> ray.endBatch(id, true), id -> ray.destroyBatch(id),
                id -> ray.endBatchAsync(id, true).toCompletableFuture().join())) {
            try (Batch p = ray.startBatch()) {
                ray.startBatch(42);
                assertThat(ray.put(1).batchId()).isEqualTo(42);
                join(inThread(() -> {
                    end.accept(42L);
                    return null;
                }));
                assertThat(ray.currentBatch()).isEqualTo(p.id());
                assertThat(ray.put(1).batchId()).isEqualTo(p.id());
                ray.destroyBatch(42);
            }
            assertThat(ray.currentBatch()).isZero();
        }
        ray.startBatch(42).close();
        assertThat(ray.currentBatch()).isZero();
        Batch handle = ray.startBatch(43);
        ray.startBatch(44);
        join(inThread(() -> {
            handle.close();
            return null;
        }));
        ray.endBatch(44, true);
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void one_that_another_client_ended_by_its_id_is_current_no_longer_either() {
        try (RayApi other = RayApi.connect(ray.storeName()); Batch p = ray.startBatch()) {
            ray.startBatch(42);
            other.endBatch(42, true);
            assertThat(ray.put(1).batchId()).isEqualTo(p.id());
            assertThat(ray.currentBatch()).isEqualTo(p.id());
        }
    }

    @Test
    void one_by_id_that_timed_out_is_an_error_until_it_is_ended_or_another_is_started_by_id() {
        Batch a = ray.startBatch(BatchOptions.builder().id(42).timeout(Duration.ofMillis(1)).build());
        awaitEnd(a);
        assertNoNewWork(a, EndReason.TIMED_OUT);
        assertThatThrownBy(() -> ray.endBatch(42, true)).isInstanceOf(BatchTimedOutException.class);
        assertThat(ray.currentBatch()).as("that call removed it all the same").isZero();

        Batch b = ray.startBatch(BatchOptions.builder().id(43).timeout(Duration.ofMillis(1)).build());
        awaitEnd(b);
        ray.gc(43);
        assertThat(ray.currentBatch()).isZero();

        Batch c = ray.startBatch(BatchOptions.builder().id(44).timeout(Duration.ofMillis(1)).build());
        awaitEnd(c);
        ray.startBatch(45);
        assertThat(ray.put(1).batchId()).isEqualTo(45);
        ray.endBatch(45, true);
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void even_where_no_collected_batch_is_remembered() {
        reopen(config -> config.tombstones(0));
        Batch outer = ray.startBatch();
        Batch inner = ray.startBatch();
        ray.endBatch(inner.id(), true);
        assertThatThrownBy(() -> ray.put(1)).isInstanceOfSatisfying(
                BatchEndedException.class, e -> assertThat(e.batchId()).hasValue(inner.id()));
        inner.close();
        assertThat(ray.put(1).batchId()).isEqualTo(outer.id());
        ray.startBatch(42);
        ray.endBatch(42, true);
        assertThat(ray.put(1).batchId()).isEqualTo(outer.id());
        outer.close();
    }

    @Test
    void one_that_does_not_become_current_leaves_the_current_one_alone() {
        try (Batch outer = ray.startBatch();
                Batch apart = ray.startBatch(BatchOptions.builder().notCurrent().build())) {
            assertThat(ray.currentBatch()).isEqualTo(outer.id());
            assertThat(apart.status().parent()).isEqualTo(outer.id());
            assertThat(apart.put(1).batchId()).isEqualTo(apart.id());
            apart.close();
            assertThat(ray.currentBatch()).isEqualTo(outer.id());
        }
    }

    @Test
    void what_a_wrapped_task_or_a_task_leaves_current_does_not_outlive_it() {
        try (Batch b = ray.startBatch(); Batch inner = ray.startBatch()) {
            b.wrap((Runnable) () -> {
                Batch forgotten = ray.startBatch();
                assertThat(ray.currentBatch()).isEqualTo(forgotten.id());
                ray.startBatch(7);
            }).run();
            assertThat(ray.currentBatch()).isEqualTo(inner.id());
            ray.endBatch(7, true);
            b.wrap((Runnable) () -> {
                ray.setCurrentBatch(0);
                assertThat(ray.put(1).batchId()).isZero();
                inner.close();
            }).run();
            assertThat(ray.currentBatch()).as("it was closed in this thread").isEqualTo(b.id());
            for (int n = 0; n < 4; n++) {
                RayApi client = ray;
                assertThat(b.task(() -> {
                    long mine = client.currentBatch();
                    client.startBatch(BatchOptions.builder().noCleanup().build());
                    return mine;
                }).remote().get()).isEqualTo(b.id());
            }
        }
    }

    @Test
    void set_current_batch_goes_back_to_one_that_is_current_below() {
        try (Batch a = ray.startBatch(); Batch b = ray.startBatch()) {
            ray.setCurrentBatch(a.id());
            assertThat(ray.currentBatch()).isEqualTo(a.id());
            b.close();
            assertThat(ray.currentBatch()).isEqualTo(a.id());
            ray.setCurrentBatch(0);
            assertThat(ray.currentBatch()).isZero();
        }
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void closing_in_another_order_or_thread_leaves_the_current_one_alone() {
        Batch first = ray.startBatch();
        Batch second = ray.startBatch(BatchOptions.builder().id(5).build());
        first.close();
        assertThat(ray.currentBatch()).isEqualTo(5);
        join(inThread(() -> {
            assertThat(ray.currentBatch()).isZero();
            Batch theirs = ray.startBatch();
            second.close();
            assertThat(ray.currentBatch()).isEqualTo(theirs.id());
            theirs.close();
            return null;
        }));
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void the_developers_calls_are_what_the_users_calls_are_made_of() {
        long previous = ray.currentBatch();
        long id = ray.newBatchId();
        assertThat(id).isNegative();
        ray.setCurrentBatch(id);
        ObjectRef<String> result = ray.put("result");
        ObjectRef<String> other = ray.put("other");
        assertThat(other.batchId()).isEqualTo(id);
        ray.transferOwnership(result, previous);
        ray.setCurrentBatch(previous);
        assertThat(ray.destroyBatch(id, false).objects()).isEqualTo(1);
        assertThat(result.get()).isEqualTo("result");
        assertThat(ray.contains(other)).isFalse();
        assertThat(ray.destroyBatch(id)).as("again").isEqualTo(GcResult.NONE);
        assertThatThrownBy(() -> ray.setCurrentBatch(id)).isInstanceOf(RayException.class);
        assertThatThrownBy(() -> ray.setCurrentBatch(12345)).isInstanceOf(BatchNotFoundException.class);
    }

    @Test
    void a_reserved_id_starts_in_the_batch_that_was_current() {
        try (Batch outer = ray.startBatch()) {
            long id = ray.newBatchId();
            ray.setCurrentBatch(id);
            assertThat(ray.status(id).parent()).isEqualTo(outer.id());
            ray.setCurrentBatch(outer.id());
            ray.destroyBatch(id);
            assertThat(ray.currentBatch()).isEqualTo(outer.id());
        }
    }

    @Test
    void wrap_takes_a_batch_along_into_any_thread_and_gives_back_what_was_current_there() throws Exception {
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try (Batch b = ray.startBatch()) {
            AtomicLong seen = new AtomicLong();
            pool.submit(b.wrap((Runnable) () -> seen.set(ray.currentBatch()))).get();
            assertThat(seen).hasValue(b.id());
            assertThat(pool.submit(b.wrap(() -> ray.currentBatch())).get()).isEqualTo(b.id());
            assertThat(pool.submit(() -> ray.currentBatch()).get()).isZero();
            seen.set(0);
            b.wrap(pool).execute(() -> seen.set(ray.currentBatch()));
            pool.submit(() -> {}).get();
            assertThat(seen).hasValue(b.id());
            try (Batch inner = ray.startBatch()) {
                assertThatThrownBy(() -> b.wrap((Runnable) () -> {
                    assertThat(ray.currentBatch()).isEqualTo(b.id());
                    throw new IllegalStateException();
                }).run()).isInstanceOf(IllegalStateException.class);
                assertThat(ray.currentBatch()).isEqualTo(inner.id());
            }
        } finally {
            pool.shutdown();
            assertThat(pool.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void each_client_has_its_own_current_batch() {
        try (RayApi other = open(config -> config); Batch theirs = other.startBatch(); Batch ours = ray.startBatch()) {
            assertThat(other.currentBatch()).isEqualTo(theirs.id());
            assertThat(ray.currentBatch()).isEqualTo(ours.id());
            other.setCurrentBatch(0);
            assertThat(ray.currentBatch()).isEqualTo(ours.id());
        }
    }

    @Test
    void status_tells_all_of_a_batch() {
        Batch b = ray.startBatch(BatchOptions.builder().id(7).name("n").priority(3).maxBytes(1 << 20).build());
        assertThat(b.status().state()).isEqualTo(BatchState.WAITING);
        List<ObjectRef<byte[]>> refs = List.of(b.put(new byte[100]), b.put(new byte[50]));
        BatchStatus open = ray.status(7);
        assertThat(open.state()).isEqualTo(BatchState.RUNNING);
        assertThat(open.reason()).isEmpty();
        assertThat(open.objects()).isEqualTo(2);
        assertThat(open.bytes()).isEqualTo(150);
        assertThat(open.held()).isGreaterThanOrEqualTo(4096);
        assertThat(open.name()).isEqualTo("n");
        assertThat(open.priority()).isEqualTo(3);
        assertThat(open.maxBytes()).hasValue(1 << 20);
        assertThat(open.maxObjects()).isEmpty();
        assertThat(open.startedBy()).contains(Thread.currentThread().getName());
        assertThat(ray.batches()).extracting(BatchStatus::id).containsExactly(7L);
        ObjectView held = ray.read(refs.get(0));
        b.close();
        assertThat(ray.status(7).state()).isEqualTo(BatchState.DRAINING);
        assertThat(ray.stats().draining()).isPositive();
        held.close();
        BatchStatus over = ray.status(7);
        assertThat(over.state()).isEqualTo(BatchState.COLLECTED);
        assertThat(over.reason()).contains(EndReason.CLOSED);
        assertThat(over.endedBy()).get().asString().contains(Thread.currentThread().getName());
        assertThat(over.collected()).get().satisfies(at -> assertThat(at).isAfterOrEqualTo(over.started()));
        assertThat(ray.batches()).isEmpty();
        assertThatThrownBy(() -> ray.status(8)).isInstanceOf(BatchNotFoundException.class);
    }
}
