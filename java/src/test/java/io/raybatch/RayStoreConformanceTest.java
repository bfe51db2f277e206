package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** CONFORMANCE.md 26 and 27: what Ray's store is held to. */
@SuppressWarnings("try") // a place is entered to be left
class RayStoreConformanceTest extends StoreTest {

    @Test
    void c26_create_evicts_what_was_not_used_longest_until_nothing_is_left_to_evict() {
        reopen(config -> config.storeSize("8m"));
        List<ObjectRef<byte[]>> refs = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            refs.add(ray.put(bytes(i, 1 << 20)));
        }
        assertThat(ray.get(refs.get(0))).isEqualTo(bytes(0, 1 << 20));
        ObjectWriter big = ray.create(3 << 20);
        assertThat(ray.contains(refs.get(0))).as("used last").isTrue();
        assertThat(ray.contains(refs.get(1))).as("not used longest").isFalse();
        assertThatThrownBy(() -> ray.get(refs.get(1)))
                .isInstanceOf(ObjectLostException.class)
                .hasMessageContaining("evicted");
        List<ObjectView> held =
                refs.stream().filter(ray::contains).map(ray::read).toList();
        assertThatThrownBy(() -> ray.create(4 << 20)).isInstanceOf(StoreFullException.class);
        held.forEach(ObjectView::close);
        big.abort();
        ray.create(4 << 20).abort();
    }

    @ParameterizedTest
    @EnumSource
    void c26_the_last_reader_completes_a_deferred_deletion_and_subscribers_hear_of_it(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> ref = ray.put(bytes(1, 100));
            ObjectView first = ray.read(ref);
            ObjectView second = ray.read(ref);
            try (Subscription events = ray.subscribe()) {
                assertThat(events.take().type()).isEqualTo(ObjectEvent.Type.SEALED);
                ray.delete(ref);
                first.close();
                assertThat(second.toByteArray()).isEqualTo(bytes(1, 100));
                second.close();
                Optional<ObjectEvent> told = events.poll(SOON);
                assertThat(told).get().extracting(ObjectEvent::type).isEqualTo(ObjectEvent.Type.DELETED);
                assertThat(told).get().extracting(ObjectEvent::id).isEqualTo(ref.id());
                assertThat(events.poll(Duration.ZERO)).isEmpty();
            }
        }
        assertThat(ray.stats().live()).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void c27_what_is_missing_or_sealed_cannot_be_aborted_and_what_is_unsealed_cannot_be_deleted(Place place) {
        try (Place.Space here = place.enter(ray)) {
            assertThatThrownBy(() -> ray.abort(ObjectId.random())).isInstanceOf(ObjectNotFoundException.class);
            ObjectRef<byte[]> sealed = ray.put(bytes(1, 10));
            assertThatThrownBy(() -> ray.abort(sealed.id())).isInstanceOf(ObjectSealedException.class);
            ObjectWriter unsealed = ray.create(10);
            assertThatThrownBy(() -> ray.delete(unsealed.id())).isInstanceOf(ObjectNotSealedException.class);
            unsealed.seal();
            assertThat(ray.delete(unsealed.id())).isEqualTo(1);
        }
    }
}
