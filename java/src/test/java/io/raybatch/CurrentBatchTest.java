package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

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
    void a_current_batch_that_has_ended_reads_as_the_nearest_live_one_around_it() {
        Batch outer = ray.startBatch();
        Batch middle = ray.startBatch();
        Batch inner = ray.startBatch();
        join(inThread(() -> {
            middle.close();
            return null;
        }));
        assertThat(ray.currentBatch()).isEqualTo(outer.id());
        assertThat(ray.put(1).batchId()).isEqualTo(outer.id());
        assertThat(ray.create(1).id().batch()).isEqualTo(outer.id());
        Batch next = ray.startBatch();
        assertThat(next.status().parent()).isEqualTo(outer.id());
        next.close();
        outer.close();
        assertThat(ray.currentBatch()).isZero();
        assertThat(ray.put(1).batchId()).isZero();
        inner.close();
        middle.close();
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void even_where_no_collected_batch_is_remembered() {
        reopen(config -> config.tombstones(0));
        Batch outer = ray.startBatch();
        Batch inner = ray.startBatch();
        ray.endBatch(inner.id(), true);
        assertThat(ray.currentBatch()).isEqualTo(outer.id());
        assertThat(ray.put(1).batchId()).isEqualTo(outer.id());
        outer.close();
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
