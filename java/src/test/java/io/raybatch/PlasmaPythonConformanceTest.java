package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** CONFORMANCE.md 13–23 and 25: what Plasma's Python tests hold it to. */
@SuppressWarnings("try") // a place is entered to be left
class PlasmaPythonConformanceTest extends StoreTest {

    @Test
    void c13_connecting_to_nothing_is_a_clear_error_in_bounded_time() {
        assertTimeoutPreemptively(Duration.ofSeconds(2), () ->
                assertThatThrownBy(() -> RayApi.connect("no such store"))
                        .isInstanceOf(StoreConnectException.class)
                        .hasMessageContaining("no such store"));
    }

    @ParameterizedTest
    @EnumSource
    void c14_sizes_from_0_to_999_with_and_without_metadata(Place place) {
        try (Place.Space here = place.enter(ray)) {
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            for (int size = 0; size < 1000; size++) {
                byte[] metadata = size % 2 == 0 ? null : bytes(size, size % 97);
                refs.add(seal(ray.create(size, metadata), bytes(size, size)));
            }
            for (int size = 0; size < 1000; size++) {
                try (ObjectView view = ray.read(refs.get(size))) {
                    assertThat(view.toByteArray()).isEqualTo(bytes(size, size));
                    assertThat(view.metadata()).isEqualTo(size % 2 == 0 ? new byte[0] : bytes(size, size % 97));
                }
                assertThat(refs.get(size).get()).isEqualTo(bytes(size, size));
            }
        }
    }

    @Test
    void c15_an_id_that_exists_cannot_be_created() {
        ObjectId id = ObjectId.random();
        ObjectWriter writer = ray.create(id, 10);
        assertThatThrownBy(() -> ray.create(id, 10)).isInstanceOf(ObjectExistsException.class);
        writer.seal();
        assertThatThrownBy(() -> ray.create(id, 20))
                .isInstanceOfSatisfying(ObjectExistsException.class, e -> assertThat(e.objectId()).contains(id));
        assertThat(ray.read(id).size()).isEqualTo(10);
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 10, 100, 1000})
    void c16_missing_ones_among_present_ones_run_into_the_timeout(int millis) {
        for (Place place : Place.values()) {
            try (Place.Space here = place.enter(ray)) {
                ObjectRef<byte[]> present = ray.put(bytes(1, 10));
                ObjectWriter unsealed = ray.create(10);
                ObjectRef<byte[]> missing = ray.ref(ObjectId.random(), byte[].class);
                long start = System.nanoTime();
                assertThatThrownBy(() -> ray.get(List.of(present, missing, unsealed.ref()), Duration.ofMillis(millis)))
                        .isInstanceOf(GetTimeoutException.class)
                        .hasMessageContaining("2 of 3");
                assertThat(Duration.ofNanos(System.nanoTime() - start))
                        .isBetween(Duration.ofMillis(millis), Duration.ofMillis(millis).plus(SOON));
                WaitResult<byte[]> found =
                        ray.wait(List.of(missing, present, unsealed.ref()), 2, Duration.ofMillis(millis / 10));
                assertThat(found.ready()).containsExactly(present);
                assertThat(found.pending()).containsExactly(missing, unsealed.ref());
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void c17_a_buffer_outlives_the_client_that_gave_it(Place place) {
        ByteBuffer buffer;
        try (RayApi other = RayApi.connect(ray.storeName())) {
            try (Place.Space here = place.enter(other)) {
                ObjectRef<byte[]> ref = other.put(bytes(1, 100_000));
                try (ObjectView view = other.read(ref)) {
                    buffer = view.asByteBuffer();
                }
                other.delete(ref);
            }
        }
        for (int i = 0; i < 100; i++) {
            ray.put(bytes(i, 100_000));
        }
        byte[] copy = new byte[100_000];
        buffer.get(0, copy);
        assertThat(copy).isEqualTo(bytes(1, 100_000));
        assertThat(buffer.isReadOnly()).isTrue();
        ray.close();
        buffer.get(0, copy);
        assertThat(copy).as("of a store that is closed").containsOnly(0);
    }

    @ParameterizedTest
    @EnumSource
    void c18_a_full_store_says_so_and_then_gives_its_whole_capacity_again(Place place) {
        reopen(config -> config.storeSize("16m"));
        // held by views, since normal mode would evict
        List<ObjectView> views = new ArrayList<>();
        List<ObjectRef<?>> refs = new ArrayList<>();
        try (Place.Space here = place.enter(ray)) {
            assertThatThrownBy(() -> {
                for (int i = 0; i < 10_000; i++) {
                    ObjectRef<byte[]> ref = ray.put(new byte[3_000 + i % 5_000]);
                    refs.add(ref);
                    views.add(ray.read(ref));
                }
            }).isInstanceOfSatisfying(StoreFullException.class, e -> {
                assertThat(e.needed()).isPositive();
                assertThat(e.free()).isNotNegative();
                assertThat(e.largestRun()).isNotNegative();
            });
            assertThat(ray.stats().live()).isGreaterThan((16 << 20) * 3 / 4);
            views.forEach(ObjectView::close);
            // every second one first, so that it is in pieces
            for (int i = 0; i < refs.size(); i += 2) {
                ray.delete(refs.get(i));
            }
            for (int i = 1; i < refs.size(); i += 2) {
                ray.delete(refs.get(i));
            }
        }
        ray.setCurrentBatch(0);
        try (Place.Space here = place.enter(ray)) {
            int whole = (16 << 20) / 100 * 95;
            ObjectRef<byte[]> ref = ray.put(bytes(1, whole));
            assertThat(ref.get()).isEqualTo(bytes(1, whole));
        }
    }

    @ParameterizedTest
    @EnumSource
    void c19_the_hash_covers_data_and_metadata(Place place) {
        try (Place.Space here = place.enter(ray)) {
            long hash = ray.hash(seal(ray.create(10, new byte[] {1}), bytes(1, 10)));
            assertThat(ray.hash(seal(ray.create(10, new byte[] {1}), bytes(1, 10)))).isEqualTo(hash);
            assertThat(ray.hash(seal(ray.create(10, new byte[] {2}), bytes(1, 10)))).isNotEqualTo(hash);
            assertThat(ray.hash(seal(ray.create(10, new byte[] {1}), bytes(2, 10)))).isNotEqualTo(hash);
            ObjectWriter unsealed = ray.create(10);
            assertThatThrownBy(() -> ray.hash(unsealed.id())).isInstanceOf(RayException.class);
        }
    }

    @ParameterizedTest
    @EnumSource
    void c20_writing_after_seal_and_reading_out_of_bounds_are_errors(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectWriter writer = ray.create(16);
            assertThatThrownBy(() -> writer.putLong(9, 1)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> writer.putLong(-1, 1)).isInstanceOf(ObjectBoundsException.class);
            assertThatThrownBy(() -> writer.put(0, new byte[4], 2, 3)).isInstanceOf(ObjectBoundsException.class);
            writer.putLong(8, 42);
            ObjectRef<byte[]> ref = writer.seal();
            assertThatThrownBy(() -> writer.putLong(8, 43)).isInstanceOf(ObjectSealedException.class);
            assertThatThrownBy(() -> ray.internal().writableBuffer(writer)).isInstanceOf(ObjectSealedException.class);
            try (ObjectView view = ray.read(ref)) {
                assertThat(view.getLong(8)).isEqualTo(42);
                assertThatThrownBy(() -> view.getLong(9)).isInstanceOf(ObjectBoundsException.class);
                assertThatThrownBy(() -> view.get(16)).isInstanceOf(ObjectBoundsException.class);
                assertThatThrownBy(() -> view.get(-1)).isInstanceOf(ObjectBoundsException.class);
                assertThatThrownBy(() -> view.get(Long.MAX_VALUE)).isInstanceOf(ObjectBoundsException.class);
                assertThatThrownBy(() -> view.copyTo(0, new byte[4], 0, 5)).isInstanceOf(ObjectBoundsException.class);
                assertThatThrownBy(() -> view.copyTo(0, ByteBuffer.allocateDirect(17)))
                        .isInstanceOf(ObjectBoundsException.class);
            }
        }
    }

    @Test
    void c21_evict_frees_the_bytes_asked_for_or_more_and_tells_subscribers_zero_sized_ones_too() {
        List<ObjectRef<byte[]>> refs = new ArrayList<>();
        refs.add(ray.put(new byte[0]));
        for (int i = 0; i < 10; i++) {
            refs.add(ray.put(new byte[1000]));
        }
        try (Subscription events = ray.subscribe()) {
            for (int i = 0; i < refs.size(); i++) {
                events.take();
            }
            long freed = ray.evict(2500);
            assertThat(freed).isGreaterThanOrEqualTo(2500);
            Set<ObjectId> gone = new HashSet<>();
            long told = 0;
            for (var e = events.poll(Duration.ZERO); e.isPresent(); e = events.poll(Duration.ZERO)) {
                assertThat(e.get().type()).isEqualTo(ObjectEvent.Type.EVICTED);
                gone.add(e.get().id());
                told += e.get().size();
            }
            assertThat(told).isEqualTo(freed);
            assertThat(gone).as("least recently used first").contains(refs.get(0).id(), refs.get(1).id());
            assertThat(refs).allMatch(ref -> ray.contains(ref) != gone.contains(ref.id()));
            assertThat(ray.evict(1 << 30)).as("all there was").isEqualTo(10_000 - freed);
            assertThat(ray.evict(1)).isZero();
        }
        try (Batch b = ray.startBatch()) {
            ObjectRef<byte[]> ref = b.put(new byte[1000]);
            assertThat(ray.evict(1 << 30)).as("what is in a batch stays").isZero();
            assertThat(ray.contains(ref)).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void c22_a_reader_that_dies_inside_get_does_not_hurt_the_store(Place place) throws InterruptedException {
        try (Place.Space here = place.enter(ray)) {
            ObjectWriter writer = ray.create(10);
            CompletableFuture<Thread> waiting = new CompletableFuture<>();
            CompletableFuture<byte[]> got = inThread(() -> {
                waiting.complete(Thread.currentThread());
                return ray.get(writer.ref());
            });
            Thread reader = join(waiting);
            sleep(A_MOMENT);
            reader.interrupt();
            assertThatThrownBy(() -> join(got)).isInstanceOf(RayInterruptedException.class);
            reader.join(SOON.toMillis());
            writer.seal();
            assertThat(ray.get(writer.ref())).hasSize(10);
        }
    }

    @ParameterizedTest
    @EnumSource
    void c23_a_blocked_get_completes_as_its_objects_arrive(Place place) {
        try (Place.Space here = place.enter(ray)) {
            List<ObjectWriter> writers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                writers.add(ray.create(100));
            }
            CompletableFuture<List<byte[]>> got =
                    inThread(() -> ray.get(writers.stream().map(ObjectWriter::ref).toList(), SOON));
            for (int i = 19; i >= 0; i--) {
                assertThat(got).isNotDone();
                seal(writers.get(i), bytes(i, 100));
            }
            List<byte[]> values = join(got);
            for (int i = 0; i < 20; i++) {
                assertThat(values.get(i)).isEqualTo(bytes(i, 100));
            }
        }
    }

    @Test
    void c25_ids_have_20_bytes_are_equal_by_them_and_random_ones_differ() {
        ObjectId id = ObjectId.random();
        assertThat(id.toBytes()).hasSize(20);
        assertThat(ObjectId.of(id.toBytes())).isEqualTo(id).hasSameHashCodeAs(id);
        assertThat(ObjectId.parse(id.toString())).isEqualTo(id);
        Set<ObjectId> many = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            many.add(ObjectId.random());
        }
        assertThat(many).hasSize(10_000);
        assertThatThrownBy(() -> ObjectId.of(new byte[19])).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> ObjectId.parse("xyz")).isInstanceOf(InvalidArgumentException.class);
    }

    @ParameterizedTest
    @EnumSource
    void c25_the_list_shows_references_state_sizes_and_times(Place place) {
        // the store's clock is a coarse one
        Instant before = Instant.now().minusMillis(100);
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> sealed = seal(ray.create(10, new byte[3]), bytes(1, 10));
            ObjectWriter open = ray.create(20);
            ObjectRef<long[]> longs = ray.put(new long[4]);
            List<ObjectView> held = List.of(ray.read(sealed), ray.read(sealed));
            List<ObjectInfo> list = ray.list(ray.currentBatch());
            assertThat(list).hasSize(3);
            ObjectInfo first = find(list, sealed.id());
            assertThat(first.state()).isEqualTo(ObjectState.SEALED);
            assertThat(first.size()).isEqualTo(10);
            assertThat(first.metadataSize()).isEqualTo(3);
            assertThat(first.owner()).isEqualTo(ray.currentBatch());
            assertThat(find(list, open.id()).state()).isEqualTo(ObjectState.CREATED);
            assertThat(find(list, longs.id()).kind()).isEqualTo(ObjectKind.LONGS);
            assertThat(find(list, longs.id()).size()).isEqualTo(32);
            if (place == Place.NORMAL_MODE) {
                assertThat(first.references()).isEqualTo(2);
                assertThat(first.created()).isBetween(before, Instant.now());
                assertThat(first.accessed()).isBetween(before, Instant.now());
            }
            held.forEach(ObjectView::close);
            assertThat(find(ray.list(), sealed.id()).references()).isZero();
        }
    }

    private static ObjectInfo find(List<ObjectInfo> list, ObjectId id) {
        return list.stream().filter(info -> info.id().equals(id)).findFirst().orElseThrow();
    }
}
