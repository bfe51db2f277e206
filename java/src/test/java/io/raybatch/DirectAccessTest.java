package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Putting and getting in the store's memory: the same as through the native side, whoever does which. */
class DirectAccessTest extends StoreTest {

    private static final int[] SIZES = {0, 1, 2, 3, 7, 8, 12, 63, 64, 65, 100, 4096, 65_535, 65_536, 65_537, 200_000};

    @Test
    void what_one_way_puts_the_other_gets() {
        try (RayApi other = RayApi.open(RayConfig.builder().directAccess(false).connect(ray.storeName()));
                Batch b = ray.startBatch(1)) {
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            for (int round = 0; round < 3; round++) {
                for (int size : SIZES) {
                    byte[] bytes = bytes(refs.size(), size);
                    RayApi by = refs.size() % 2 == 0 ? ray : other;
                    by.setCurrentBatch(1);
                    refs.add(by.put(bytes));
                }
            }
            for (int i = 0; i < refs.size(); i++) {
                byte[] bytes = bytes(i, SIZES[i % SIZES.length]);
                ObjectId id = refs.get(i).id();
                assertThat(ray.get(refs.get(i))).isEqualTo(bytes);
                assertThat(other.get(other.ref(id, byte[].class))).isEqualTo(bytes);
            }
            assertThat(new HashSet<>(refs)).hasSameSizeAs(refs);
            assertThat(b.status().objects()).isEqualTo(refs.size());
        }
    }

    @Test
    void strings_buffers_and_serialized_values_go_the_same_way() {
        try (Batch b = ray.startBatch()) {
            b.put(0); // the first one gets room, natively
            assertThat(b.get(b.put("Käse 🧀"))).isEqualTo("Käse 🧀");
            assertThat(b.get(b.put(ByteBuffer.wrap(new byte[] {1, 2, 3, 4}, 1, 2)))).isEqualTo(ByteBuffer.wrap(new byte[] {2, 3}));
            assertThat(b.get(b.put(List.of(1, 2)))).isEqualTo(List.of(1, 2));
            assertThat(b.get(b.put(new long[] {7}))).containsExactly(7);
        }
    }

    private static boolean putsDirectly(Batch b) {
        return b.scope().region().put(new byte[] {1}, 0, 1, Native.KIND_BYTES) != MappedRegion.NOT_HERE;
    }

    @Test
    void who_waits_for_tasks_or_a_batchs_end_leaves_the_putting_to_java_and_who_waits_for_a_put_does_not() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        try (Batch b = ray.startBatch(); Batch ending = ray.startBatch(77)) {
            b.put(0); // the first one gets room, natively
            assertThat(putsDirectly(b)).isTrue();
            List<CompletableFuture<?>> waiting = new ArrayList<>();
            try {
                for (int n = 0; n < 2; n++) {
                    ObjectRef<Integer> result = (n == 0 ? b.task(() -> await(go)) : ending.task(() -> await(go))).remote();
                    waiting.add(inThread(() -> result.get(SOON)));
                    waiting.add(result.stage().toCompletableFuture());
                }
                ObjectRef<Integer> third = ray.task(() -> await(go)).batch(b).remote();
                waiting.add(inThread(() -> ray.wait(List.of(third), 1, SOON)));
                waiting.add(inThread(() -> ray.endBatch(77)));
                sleep(A_MOMENT);
                assertThat(putsDirectly(b)).as("while results and an end are waited for").isTrue();

                ObjectWriter writer = b.create(8);
                CompletableFuture<byte[]> put = inThread(() -> writer.ref().get(SOON));
                ActorTest.until("a put is waited for", () -> !putsDirectly(b));
                seal(writer, bytes(1, 8));
                assertThat(join(put)).hasSize(8);
                ActorTest.until("it is not any more", () -> putsDirectly(b));
            } finally {
                go.countDown();
            }
            waiting.forEach(StoreTest::join);
        }
    }

    private static int await(CountDownLatch go) throws InterruptedException {
        go.await();
        return 1;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 3, 8, 24, 63, 64, 65, 100, 1000, 65_536, 70_000})
    void many_of_one_size(int size) {
        int count = 3_000_000 / size % 3000 + 7;
        byte[] source = bytes(size, 5 + count * size);
        long[] slots = new long[count + 2];
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            objects.putAll(source, 5, size, count, slots, 1);
            byte[] target = new byte[size];
            for (int n = 0; n < count; n++) {
                assertThat(objects.get(slots[1 + n], target, 0, size)).isEqualTo(size);
                assertThat(Arrays.equals(target, 0, size, source, 5 + n * size, 5 + (n + 1) * size)).as("object %d", n).isTrue();
            }
            assertThat(slots[0] + slots[count + 1]).as("no more than asked").isZero();
            assertThat(b.status().objects()).isEqualTo(count);
            assertThat(b.status().bytes()).isEqualTo((long) count * size);
        }
    }

    @Test
    void many_of_any_size() {
        int[] offsets = new int[5001];
        for (int n = 1; n < offsets.length; n++) {
            offsets[n] = offsets[n - 1] + n * 31 % 97;
        }
        byte[] source = bytes(1, offsets[5000]);
        long[] slots = new long[4000];
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            objects.putAll(source, offsets, 1000, 4000, slots, 0);
            objects.putAll(source, offsets, 0, 10, null, 0);
            byte[] target = new byte[97];
            for (int n = 0; n < 4000; n++) {
                int size = offsets[1001 + n] - offsets[1000 + n];
                assertThat(objects.get(slots[n], target, 0, target.length)).isEqualTo(size);
                assertThat(Arrays.copyOf(target, size)).isEqualTo(Arrays.copyOfRange(source, offsets[1000 + n], offsets[1001 + n]));
            }
            assertThat(b.status().objects()).isEqualTo(4010);
        }
    }

    @Test
    void many_at_once_are_all_or_nothing_where_the_arguments_are_wrong() {
        byte[] source = new byte[100];
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            assertThatThrownBy(() -> objects.putAll(source, 1, 10, 10, null, 0)).isInstanceOf(ObjectBoundsException.class)
                    .hasMessageContaining("offset 1 and length 100");
            assertThatThrownBy(() -> objects.putAll(source, 0, 10, 10, new long[9], 0)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> objects.putAll(source, 0, -1, 10, null, 0)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> objects.putAll(source, 0, 1 << 20, 1 << 20, null, 0)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> objects.putAll(null, 0, 1, 1, null, 0)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> objects.putAll(source, new int[] {0, 5, 4}, 0, 2, null, 0))
                    .isInstanceOf(ObjectBoundsException.class).hasMessageContaining("offset 2 is 4");
            assertThatThrownBy(() -> objects.putAll(source, new int[] {0, 101}, 0, 1, null, 0)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> objects.putAll(source, new int[] {0, 1}, 0, 2, null, 0)).isInstanceOf(ObjectBoundsException.class);
            assertThat(b.status().objects()).isZero();
        }
    }

    @Test
    void an_ended_batch_takes_nothing_either_way() {
        Batch b = ray.startBatch(5);
        ObjectSlots objects = b.slots();
        long slot = objects.put(new byte[] {1, 2}, 0, 2);
        objects.put(new byte[] {3}, 0, 1);
        ray.endBatch(5);
        assertThatThrownBy(() -> objects.put(new byte[1], 0, 1)).isInstanceOf(BatchEndedException.class);
        assertThatThrownBy(() -> objects.putAll(new byte[9], 0, 3, 3, null, 0)).isInstanceOf(BatchEndedException.class);
        byte[] target = new byte[2];
        assertThat(objects.get(slot, target, 0, 2)).as("what it has can be read until it is collected").isEqualTo(2);
        assertThat(target).containsExactly(1, 2);
        ray.gc(5);
        assertThatThrownBy(() -> objects.get(slot, target, 0, 2)).isInstanceOf(ObjectCollectedException.class);
        assertThatThrownBy(() -> objects.put(new byte[1], 0, 1)).isInstanceOf(BatchEndedException.class);
    }

    @Test
    void a_limit_is_exact() {
        try (Batch b = ray.startBatch(BatchOptions.builder().maxObjects(100).build())) {
            ObjectSlots objects = b.slots();
            long[] slots = new long[200];
            assertThatThrownBy(() -> objects.putAll(new byte[2000], 0, 10, 200, slots, 0))
                    .isInstanceOf(BatchLimitException.class);
            assertThat(b.status().objects()).isEqualTo(100);
        }
    }

    @Test
    void slots_that_were_never_put_and_targets_that_are_too_small_are_errors() {
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            long slot = objects.put(new byte[10], 0, 10);
            byte[] target = new byte[10];
            for (long forged : new long[] {slot + 1, slot + (1 << 24), Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
                assertThatThrownBy(() -> {
                    if (objects.get(forged, target, 0, 10) == -1) {
                        throw new ObjectNotFoundException("not sealed", ErrorDetails.NONE);
                    }
                }).as("%x", forged).isInstanceOf(RayException.class);
            }
            assertThatThrownBy(() -> objects.get(slot, target, 1, 9)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> objects.get(slot, target, 1, 10)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> objects.get(slot, null, 0, 10)).isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void a_cursor_meets_every_object_once() {
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            Set<Long> put = new HashSet<>();
            for (int i = 0; i < 5000; i++) {
                put.add(objects.put(bytes(i, i % 50), 0, i % 50));
            }
            ObjectRef<byte[]> gone = objects.ref(put.iterator().next());
            b.keep(gone);
            put.remove(put.iterator().next());
            b.create(5); // never sealed
            Set<Long> met = new HashSet<>();
            byte[] row = new byte[50];
            long sum = 0;
            for (SlotCursor all = objects.cursor(); all.next(); ) {
                assertThat(met.add(all.slot())).isTrue();
                assertThat(all.get(row, 0)).isEqualTo(all.size());
                sum += all.size();
            }
            assertThat(met).isEqualTo(put);
            assertThat(sum).isPositive();
            SlotCursor before = objects.cursor();
            assertThatThrownBy(before::slot).isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void a_cursor_goes_through_the_old_store_too() {
        reopen(config -> config.eviction(Eviction.LRU));
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            long[] slots = new long[3000];
            objects.putAll(new byte[3000 * 8], 0, 8, 3000, slots, 0);
            int met = 0;
            for (SlotCursor all = objects.cursor(); all.next(); met++) {
                assertThat(all.slot()).isEqualTo(slots[met]);
            }
            assertThat(met).isEqualTo(3000);
        }
    }

    @Test
    void it_can_be_switched_off() {
        reopen(config -> config.directAccess(false));
        try (Batch b = ray.startBatch()) {
            ObjectSlots objects = b.slots();
            long[] slots = new long[100];
            objects.putAll(bytes(3, 800), 0, 8, 100, slots, 0);
            byte[] target = new byte[8];
            assertThat(objects.get(slots[99], target, 0, 8)).isEqualTo(8);
            assertThat(target).isEqualTo(Arrays.copyOfRange(bytes(3, 800), 792, 800));
        }
    }

    @Test
    void memory_can_be_touched_beforehand() {
        reopen(config -> config.warmReserve("48m").preTouch(true));
        assertThat(ray.stats().warm()).isBetween(46L << 20, 49L << 20);
        reopen(config -> config.warmReserve("48m"));
        assertThat(ray.stats().warm()).as("some strides ahead of need").isLessThan(24L << 20);
    }

    @Test
    void what_was_mapped_stays_readable_when_the_store_is_closed() {
        Batch b = ray.startBatch();
        ObjectSlots objects = b.slots();
        long slot = objects.put(new byte[] {1}, 0, 1);
        ray.close();
        assertThatThrownBy(() -> objects.get(slot, new byte[1], 0, 1)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> objects.put(new byte[1], 0, 1)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> objects.putAll(new byte[2], 0, 1, 2, null, 0)).isInstanceOf(RayClosedException.class);
        assertThatThrownBy(() -> objects.cursor().next()).isInstanceOf(RayClosedException.class);
    }
}
