package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class FreeAndWaitTest extends StoreTest {

    @ParameterizedTest
    @EnumSource
    @SuppressWarnings("try") // a place is entered to be left
    void what_is_freed_is_lost_and_its_bytes_are_back(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> gone = ray.put(bytes(1, 1 << 20));
            ObjectRef<byte[]> stays = ray.put(bytes(2, 100));
            assertThat(ray.free(gone)).isEqualTo(1);
            assertThat(ray.contains(gone)).isFalse();
            assertThatThrownBy(gone::get)
                    .isInstanceOfSatisfying(ObjectLostException.class, e -> assertThat(e.objectId()).contains(gone.id()));
            assertThat(stays.get()).isEqualTo(bytes(2, 100));
            assertThat(ray.stats().live()).isEqualTo(100);
            assertThat(ray.free(gone)).isZero();
        }
    }

    @Test
    void wait_returns_when_enough_are_ready_and_keeps_the_order() {
        try (Batch b = ray.startBatch()) {
            List<ObjectWriter> writers = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                writers.add(b.create(8));
            }
            List<ObjectRef<byte[]>> refs = writers.stream().map(ObjectWriter::ref).toList();
            assertThat(ray.wait(refs, 0, Duration.ZERO).ready()).isEmpty();
            CompletableFuture<WaitResult<byte[]>> two = inThread(() -> ray.wait(refs, 2, SOON));
            writers.get(3).seal();
            sleep(A_MOMENT);
            assertThat(two).isNotDone();
            writers.get(1).seal();
            assertThat(join(two).ready()).containsExactly(refs.get(1), refs.get(3));
            assertThat(join(two).pending()).containsExactly(refs.get(0), refs.get(2), refs.get(4));
            assertThatThrownBy(() -> ray.wait(refs, 6, SOON)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> ray.wait(refs, 1, Duration.ofMillis(-1)))
                    .isInstanceOf(InvalidArgumentException.class);
        }
    }

    @Test
    void what_can_never_come_is_ready_for_the_exception() {
        Batch b = ray.startBatch();
        ObjectWriter writer = b.create(8);
        CompletableFuture<WaitResult<byte[]>> waiting = inThread(() -> ray.wait(List.of(writer.ref()), 1, SOON));
        sleep(A_MOMENT);
        b.close();
        assertThat(join(waiting).ready()).containsExactly(writer.ref());
        assertThatThrownBy(() -> ray.get(writer.ref())).isInstanceOf(ObjectCollectedException.class);
    }

    @Test
    void a_get_of_thousands_that_arrive_one_by_one_ends() {
        try (Batch b = ray.startBatch()) {
            List<ObjectWriter> writers = new ArrayList<>();
            for (int i = 0; i < 3000; i++) {
                writers.add(b.create(8));
            }
            CompletableFuture<List<byte[]>> got = inThread(() -> ray.get(writers.stream().map(ObjectWriter::ref).toList(), SOON));
            List<ObjectWriter> shuffled = new ArrayList<>(writers);
            Collections.shuffle(shuffled, new java.util.Random(1));
            shuffled.forEach(ObjectWriter::seal);
            assertThat(join(got)).hasSize(3000);
        }
    }
}
