package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** CONFORMANCE.md 32–35, 37, 38 and 40, as far as no tasks are needed: what the discussion asks of batches. */
class BatchConformanceTest extends StoreTest {

    @Test
    void c32_ending_with_z_kept_frees_y_and_keeps_z_and_the_outer_x_and_nothing_before() {
        ObjectRef<byte[]> x = ray.put(bytes(1, 100));
        ray.startBatch(7);
        ObjectRef<byte[]> y = ray.put(bytes(2, 100));
        ObjectRef<byte[]> z = ray.put(bytes(3, 100));
        assertThat(List.of(x, y, z)).allMatch(ray::contains);
        assertThat(ray.list(7)).hasSize(2);
        GcResult result = ray.endBatch(7, z);
        assertThat(result.objects()).isEqualTo(1);
        assertThat(result.bytes()).isEqualTo(100);
        assertThat(x.get()).isEqualTo(bytes(1, 100));
        assertThat(z.get()).isEqualTo(bytes(3, 100));
        assertThatThrownBy(y::get)
                .isInstanceOf(ObjectCollectedException.class)
                .hasMessageContaining("batch 7");
        assertThat(ray.gc(7)).isEqualTo(GcResult.NONE);
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void c33_what_is_kept_moves_to_the_parent_whose_end_frees_it() {
        ObjectRef<byte[]> kept;
        try (Batch outer = ray.startBatch()) {
            try (Batch inner = ray.startBatch()) {
                kept = inner.put(bytes(1, 5000));
                inner.keep(kept);
                assertThat(inner.status().objects()).isZero();
                assertThat(outer.status().objects()).isEqualTo(1);
            }
            assertThat(kept.get()).isEqualTo(bytes(1, 5000));
            assertThat(ray.list(outer.id())).singleElement().satisfies(info -> {
                assertThat(info.id()).isEqualTo(kept.id());
                assertThat(info.owner()).isEqualTo(outer.id());
            });
        }
        assertThatThrownBy(kept::get).isInstanceOf(ObjectCollectedException.class);
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c33_an_exception_in_the_body_still_collects_and_restores_the_current_batch() {
        try (Batch outer = ray.startBatch()) {
            assertThatThrownBy(() -> {
                try (Batch inner = ray.startBatch()) {
                    inner.put(bytes(1, 5000));
                    assertThat(ray.currentBatch()).isEqualTo(inner.id());
                    throw new IllegalStateException("the body's");
                }
            }).isInstanceOf(IllegalStateException.class).hasMessage("the body's").hasNoSuppressedExceptions();
            assertThat(ray.currentBatch()).isEqualTo(outer.id());
            assertThat(ray.stats().live()).isZero();
        }
        assertThat(ray.currentBatch()).isZero();
    }

    @Test
    void c34_without_cleanup_close_leaves_all_and_delete_takes_all() {
        Batch batch = ray.startBatch(BatchOptions.builder().noCleanup().build());
        ObjectRef<byte[]> left = batch.put(bytes(1, 100));
        ObjectRef<byte[]> kept = batch.put(bytes(2, 100));
        batch.keep(kept);
        batch.close();
        assertThat(batch.status().state()).isEqualTo(BatchState.COMPLETED);
        assertThat(left.get()).isEqualTo(bytes(1, 100));
        assertThatThrownBy(() -> batch.put(bytes(3, 100))).isInstanceOf(BatchEndedException.class);
        batch.delete();
        assertThat(ray.contains(left)).isFalse();
        assertThat(ray.contains(kept)).isFalse();
        batch.delete();
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c34_delete_takes_what_any_batch_kept_unless_it_was_transferred_further() {
        Batch elsewhere = ray.startBatch(9);
        Batch batch = ray.startBatch();
        ObjectRef<byte[]> kept = batch.put(bytes(1, 100));
        ObjectRef<byte[]> further = batch.put(bytes(2, 100));
        batch.keep(kept, further);
        batch.close();
        ray.transferOwnership(further, 0);
        assertThat(List.of(kept, further)).allMatch(ray::contains);
        batch.delete();
        assertThat(ray.contains(kept)).isFalse();
        assertThat(further.get()).isEqualTo(bytes(2, 100));
        elsewhere.close();
        assertThat(ray.contains(further)).isTrue();
    }

    @Test
    void c34_a_pending_object_can_be_kept_and_is_used_before_the_batch_ends() {
        try (Batch outer = ray.startBatch()) {
            ObjectRef<byte[]> pending;
            try (Batch inner = ray.startBatch()) {
                ObjectWriter writer = inner.create(100);
                pending = writer.ref();
                inner.keep(pending);
                CompletableFuture<byte[]> got = inThread(() -> ray.get(writer.ref(), SOON));
                seal(writer, bytes(1, 100));
                assertThat(join(got)).isEqualTo(bytes(1, 100));
            }
            assertThat(pending.get()).isEqualTo(bytes(1, 100));
            assertThat(outer.status().adopted()).isEqualTo(1);
        }
    }

    @Test
    void c35_any_thread_may_end_a_batch_and_the_second_hears_who_was_first() {
        ray.startBatch(7);
        ObjectRef<byte[]> ref = ray.put(bytes(1, 100));
        join(inThread(() -> {
            Thread.currentThread().setName("the first");
            return ray.endBatch(7);
        }));
        assertThat(ref.get()).as("ended, not collected").isEqualTo(bytes(1, 100));
        assertThatThrownBy(() -> ray.endBatch(7))
                .isInstanceOf(BatchEndedException.class)
                .hasMessageContaining("the first");
        assertThat(ray.currentBatch()).as("reads as the nearest live one around it").isZero();
        ray.put(bytes(2, 10));
        assertThat(ray.list(0)).hasSize(1);
        assertThat(ray.gc(7).objects()).isEqualTo(1);
        assertThatThrownBy(() -> ray.endBatch(7)).isInstanceOf(RayException.class).hasMessageContaining("the first");
    }

    @Test
    void c35_an_open_batch_cannot_be_collected() {
        ray.startBatch(7);
        assertThatThrownBy(() -> ray.gc(7))
                .isInstanceOfSatisfying(BatchActiveException.class, e -> assertThat(e.batchId()).hasValue(7));
        assertThat(ray.endBatchAsync(7, true).toCompletableFuture()).isCompleted();
        assertThat(ray.endBatchAsync(7, true).toCompletableFuture()).isCompletedExceptionally();
    }

    @Test
    void c37_a_batch_that_times_out_is_released_and_blocked_gets_and_later_use_say_so() {
        Batch batch = ray.startBatch(BatchOptions.builder().name("short").timeout(Duration.ofMillis(200)).build());
        batch.put(bytes(1, 100_000));
        ObjectWriter never = batch.create(10);
        CompletableFuture<byte[]> blocked = inThread(() -> ray.get(never.ref()));
        assertThatThrownBy(() -> join(blocked))
                .isInstanceOf(BatchTimedOutException.class)
                .hasMessageContaining("timed out");
        assertThatThrownBy(() -> batch.put(1))
                .isInstanceOf(BatchTimedOutException.class)
                .hasMessageContaining("timed out");
        assertThat(batch.status().reason()).contains(EndReason.TIMED_OUT);
        assertThat(batch.status().state().isCollected()).isTrue();
        never.close();
        batch.close();
        assertThat(ray.currentBatch()).isZero();
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c38_an_inner_batch_may_use_outer_objects_and_a_collected_siblings_object_fails() {
        try (Batch outer = ray.startBatch()) {
            ObjectRef<byte[]> outers = outer.put(bytes(1, 100));
            ObjectRef<byte[]> siblings;
            try (Batch sibling = outer.startBatch()) {
                siblings = sibling.put(bytes(2, 100));
                try (Batch inner = outer.startBatch()) {
                    assertThat(inner.get(outers)).isEqualTo(bytes(1, 100));
                    assertThat(inner.get(siblings)).isEqualTo(bytes(2, 100));
                    inner.keep(outers);
                    assertThatThrownBy(() -> inner.keep(siblings)).isInstanceOf(NotOwnerException.class);
                }
            }
            assertThatThrownBy(siblings::get)
                    .isInstanceOfSatisfying(ObjectCollectedException.class, e -> {
                        assertThat(e.batchId()).hasValue(siblings.batchId());
                        assertThat(e.objectId()).contains(siblings.id());
                    });
            assertThat(outers.get()).isEqualTo(bytes(1, 100));
        }
    }

    @Test
    void c40_the_put_over_the_limit_fails_names_limit_and_batch_and_loses_nothing() {
        Batch limited = ray.startBatch(
                BatchOptions.builder().name("limited").maxBytes(1 << 20).maxObjects(100).build());
        ObjectRef<byte[]> first = limited.put(bytes(1, 1000));
        assertThatThrownBy(() -> limited.put(new byte[1 << 20]))
                .isInstanceOfSatisfying(BatchLimitException.class, e -> {
                    assertThat(e).hasMessageContaining("limited").hasMessageContaining(String.valueOf(1 << 20));
                    assertThat(e.limit()).isEqualTo(1 << 20);
                    assertThat(e.batchId()).hasValue(limited.id());
                });
        for (int i = 1; i < 100; i++) {
            limited.put(bytes(i, 10));
        }
        assertThatThrownBy(() -> limited.put(new byte[1]))
                .isInstanceOfSatisfying(BatchLimitException.class, e -> assertThat(e.limit()).isEqualTo(100));
        assertThat(limited.status().objects()).isEqualTo(100);
        assertThat(first.get()).isEqualTo(bytes(1, 1000));
        ray.delete(first);
        limited.put(bytes(7, 1000));
        limited.close();
    }

    @Test
    void c40_what_children_use_counts_to_their_parent() {
        try (Batch limited = ray.startBatch(BatchOptions.builder().maxBytes(1 << 20).build())) {
            try (Batch inner = ray.startBatch()) {
                inner.put(new byte[700 << 10]);
                assertThatThrownBy(() -> limited.put(new byte[700 << 10])).isInstanceOf(BatchLimitException.class);
                assertThatThrownBy(() -> inner.put(new byte[700 << 10])).isInstanceOf(BatchLimitException.class);
            }
            limited.put(new byte[700 << 10]);
        }
    }
}
