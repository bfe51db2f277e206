package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;

/** CONFORMANCE.md 45: what is wrong is a typed exception, and the store goes on. */
@SuppressWarnings("try") // a place is entered to be left
class TrustTest extends StoreTest {

    @Test
    void c45_an_id_of_another_store_names_nothing_here() {
        try (RayApi other = open(config -> config); Batch theirs = other.startBatch(7); Batch ours = ray.startBatch(7)) {
            ObjectRef<byte[]> foreign = theirs.put(bytes(1, 100));
            ours.put(bytes(2, 100));
            assertThatThrownBy(() -> ray.ref(foreign.id(), byte[].class)).isInstanceOf(ObjectNotFoundException.class);
            assertThatThrownBy(() -> ray.get(foreign, Duration.ZERO)).isInstanceOf(ObjectNotFoundException.class);
            assertThat(ray.contains(foreign)).isFalse();
            assertThat(ray.delete(foreign)).isZero();
        }
    }

    @Test
    void c45_an_id_of_an_earlier_life_of_a_batch_does_not_name_a_new_object() {
        ray.startBatch(7);
        ObjectRef<byte[]> old = ray.put(bytes(1, 100));
        ray.endBatch(7, true);
        ray.startBatch(7);
        ray.put(bytes(2, 100));
        assertThatThrownBy(() -> ray.get(old, Duration.ZERO)).isInstanceOf(RayException.class);
        assertThat(ray.contains(old)).isFalse();
        ray.endBatch(7, true);
    }

    @Test
    void c45_forged_ids_and_aliases_are_not_found() {
        Random random = new Random(45);
        try (Batch b = ray.startBatch()) {
            ObjectRef<byte[]> first = b.put(bytes(1, 10));
            ObjectRef<byte[]> second = b.put(bytes(2, 10));
            ObjectId real = second.id();
            List<ObjectId> forged = new ArrayList<>();
            forged.add(new ObjectId(real.batch(), real.task() + 1, real.index()));
            forged.add(new ObjectId(real.batch(), real.task(), -1));
            forged.add(new ObjectId(real.batch(), real.task(), 1 << 30));
            // another name for a slot that has one
            forged.add(new ObjectId(real.batch(), real.task() - 5, real.index() + 5));
            forged.add(new ObjectId(real.batch(), real.task() + 1, real.index() - 1));
            for (int i = 0; i < 1000; i++) {
                forged.add(new ObjectId(real.batch(), random.nextLong(), random.nextInt()));
                forged.add(new ObjectId(random.nextLong() | 1, random.nextLong(), random.nextInt()));
            }
            forged.remove(first.id());
            for (ObjectId id : forged) {
                assertThat(ray.contains(id)).isFalse();
                assertThatThrownBy(() -> ray.ref(id, byte[].class)).isInstanceOf(RayException.class);
                assertThatThrownBy(() -> ray.read(id)).isInstanceOf(RayException.class);
            }
            assertThat(ray.get(List.of(first, second))).hasSize(2);
        }
    }

    @Test
    void c45_negative_and_huge_sizes_are_refused() {
        for (Place place : Place.values()) {
            try (Place.Space here = place.enter(ray)) {
                assertThatThrownBy(() -> ray.create(-1)).isInstanceOf(InvalidArgumentException.class);
                assertThatThrownBy(() -> ray.create(Long.MIN_VALUE)).isInstanceOf(InvalidArgumentException.class);
                assertThatThrownBy(() -> ray.create(1L << 31)).isInstanceOf(RayException.class);
                assertThatThrownBy(() -> ray.create(Long.MAX_VALUE)).isInstanceOf(RayException.class);
                assertThatThrownBy(() -> ray.create(Integer.MAX_VALUE)).isInstanceOf(StoreFullException.class);
                assertThat(ray.put(new byte[10]).get()).hasSize(10);
            }
        }
        assertThatThrownBy(() -> ray.evict(-1)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> ray.startBatch(-12345)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> BatchOptions.builder().maxBytes(0)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void c45_array_ranges_out_of_bounds_are_refused() {
        try (Batch b = ray.startBatch()) {
            ObjectSlots slots = b.slots();
            byte[] array = bytes(1, 100);
            int[][] ranges = {{-1, 10}, {0, 101}, {100, 1}, {50, 51}, {10, -1}, {Integer.MAX_VALUE, 1}, {1, Integer.MAX_VALUE}};
            long slot = slots.put(array, 10, 50);
            for (int[] range : ranges) {
                assertThatThrownBy(() -> slots.put(array, range[0], range[1])).isInstanceOf(RayException.class);
                assertThatThrownBy(() -> slots.get(slot, array, range[0], range[1])).isInstanceOf(RayException.class);
            }
            assertThatThrownBy(() -> slots.get(slot, new byte[100], 60, 40)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> slots.put(null, 0, 1)).isInstanceOf(RayException.class);
            for (long forged : new long[] {-1, Long.MAX_VALUE, Long.MIN_VALUE, slot + (1L << 40), slot + 1}) {
                try {
                    assertThat(slots.get(forged, new byte[100], 0, 100)).isIn(-1, 50);
                } catch (RayException e) {
                    assertThat(e.code()).isNotEqualTo(ErrorCode.INTERNAL);
                }
            }
            byte[] out = new byte[60];
            assertThat(slots.get(slot, out, 5, 55)).isEqualTo(50);
            assertThat(ByteBuffer.wrap(out, 5, 50)).isEqualTo(ByteBuffer.wrap(array, 10, 50));
        }
    }

    @Test
    void c45_null_is_refused_by_name() {
        assertThatThrownBy(() -> ray.put(null)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("null");
        assertThatThrownBy(() -> ray.put("\ud800")).isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("surrogate");
        assertThatThrownBy(() -> ray.delete((ObjectId) null)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void c45_a_handle_that_another_thread_closes_meanwhile_is_an_exception_or_a_result_and_never_garbage() {
        for (int round = 0; round < 50; round++) {
            byte[] expected = bytes(round, 4096);
            ObjectRef<byte[]> ref = ray.put(expected);
            ObjectView view = ray.read(ref);
            ObjectWriter writer = ray.create(4096);
            AtomicBoolean stop = new AtomicBoolean();
            CompletableFuture<Integer> reader = inThread(() -> {
                int reads = 0;
                try {
                    while (!stop.get()) {
                        assertThat(view.toByteArray()).isEqualTo(expected);
                        reads++;
                    }
                } catch (RayClosedException closed) {
                    // as it should be
                }
                return reads;
            });
            CompletableFuture<Boolean> author = inThread(() -> {
                try {
                    for (int i = 0; !stop.get(); i++) {
                        writer.putInt(i % 1000, i);
                    }
                    return false;
                } catch (RayClosedException | ObjectSealedException closed) {
                    return true;
                }
            });
            Thread.onSpinWait();
            ray.delete(ref);
            view.close();
            writer.close();
            ray.put(bytes(round + 1000, 4096));
            stop.set(true);
            join(reader);
            join(author);
        }
    }

    @Test
    void c45_a_store_that_is_closed_meanwhile_says_so_to_everybody() {
        ObjectRef<byte[]> ref = ray.put(bytes(1, 100));
        ObjectWriter writer = ray.create(100);
        ObjectView view = ray.read(ref);
        Batch batch = ray.startBatch();
        Subscription events = ray.subscribe();
        CompletableFuture<byte[]> waiting = inThread(() -> ray.get(writer.ref()));
        sleep(A_MOMENT);
        ray.close();
        ray.close();
        assertThatThrownBy(() -> join(waiting)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> ray.put(1)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> ray.get(ref)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> ray.startBatch()).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> view.get(0)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(writer::seal).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> {
            while (true) {
                events.take();
            }
        }).isInstanceOf(RayClosedException.class);
        batch.close();
        batch.delete();
        view.close();
        writer.close();
        events.close();
        assertThat(ray.toString()).contains("closed");
    }

    @Test
    void c45_a_thread_that_dies_holding_a_lease_leaves_nothing_behind() {
        try (Batch b = ray.startBatch()) {
            for (int i = 0; i < 50; i++) {
                int seed = i;
                ObjectRef<byte[]> ref = join(inThread(() -> b.put(bytes(seed, 64))));
                assertThat(ref.get()).isEqualTo(bytes(seed, 64));
            }
            ray.internal().audit();
        }
        ray.internal().audit();
        assertThat(ray.stats().live()).isZero();
    }
}
