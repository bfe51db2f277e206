package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** CONFORMANCE.md 1–12: what Plasma's client is held to. */
@SuppressWarnings("try") // a place is entered to be left
class PlasmaConformanceTest extends StoreTest {

    @ParameterizedTest
    @EnumSource
    void c01_deleting_a_missing_object_is_fine_and_one_in_use_stays_for_its_reader(Place place) {
        try (Place.Space here = place.enter(ray)) {
            assertThat(ray.delete(ObjectId.random())).isZero();
            ObjectRef<byte[]> ref = ray.put(bytes(1, 100));
            ObjectView view = ray.read(ref);
            assertThat(ray.delete(ref)).isZero();
            assertThat(view.toByteArray()).isEqualTo(bytes(1, 100));
            view.close();
            assertThat(ray.contains(ref)).isFalse();
            assertThatThrownBy(() -> ray.get(ref, Duration.ZERO)).isInstanceOf(RayException.class);
            assertThat(ray.delete(ref)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void c02_a_list_is_deleted_while_a_second_reader_holds_some_of_it(Place place) {
        try (Place.Space here = place.enter(ray)) {
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                refs.add(ray.put(bytes(i, 50)));
            }
            List<ObjectView> held = List.of(ray.read(refs.get(2)), ray.read(refs.get(7)), ray.read(refs.get(7)));
            assertThat(ray.delete(refs)).isEqualTo(8);
            assertThat(held.get(0).toByteArray()).isEqualTo(bytes(2, 50));
            assertThat(held.get(2).toByteArray()).isEqualTo(bytes(7, 50));
            held.forEach(ObjectView::close);
            assertThat(refs).noneMatch(ray::contains);
        }
    }

    @ParameterizedTest
    @EnumSource
    void c03_a_late_subscriber_first_hears_of_the_objects_that_exist_then_of_a_deletion(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> first = ray.put(bytes(1, 10));
            ObjectRef<byte[]> second = ray.put(bytes(2, 20));
            try (Subscription events = ray.subscribe()) {
                List<ObjectEvent> existing = List.of(events.take(), events.take());
                assertThat(existing)
                        .allMatch(e -> e.type() == ObjectEvent.Type.SEALED)
                        .extracting(ObjectEvent::id)
                        .containsExactlyInAnyOrder(first.id(), second.id());
                assertThat(events.poll(Duration.ZERO)).isEmpty();
                ray.delete(first);
                assertThat(events.take())
                        .isEqualTo(new ObjectEvent(ObjectEvent.Type.DELETED, first.id(), 10, 0));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void c04_sealing_what_is_missing_or_sealed_is_an_error(Place place) {
        try (Place.Space here = place.enter(ray)) {
            assertThatThrownBy(() -> ray.seal(ObjectId.random())).isInstanceOf(ObjectNotFoundException.class);
            ObjectWriter writer = ray.create(8);
            ObjectRef<byte[]> ref = writer.seal();
            assertThatThrownBy(writer::seal).isInstanceOf(ObjectSealedException.class);
            assertThatThrownBy(() -> ray.seal(ref.id())).isInstanceOf(ObjectSealedException.class);
        }
    }

    @ParameterizedTest
    @EnumSource
    void c05_an_object_is_not_contained_before_it_is_sealed(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectWriter writer = ray.create(8);
            assertThat(ray.contains(writer.id())).isFalse();
            writer.seal();
            assertThat(ray.contains(writer.id())).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void c06_who_only_looks_at_metadata_holds_the_object_until_the_end_of_the_scope(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> ref = seal(ray.create(10, new byte[] {1, 2, 3}), bytes(1, 10));
            try (ObjectView view = ray.read(ref)) {
                assertThat(view.metadata()).containsExactly(1, 2, 3);
                assertThat(ray.delete(ref)).isZero();
                assertThat(view.metadata()).containsExactly(1, 2, 3);
            }
            assertThat(ray.contains(ref)).isFalse();
        }
    }

    @ParameterizedTest
    @EnumSource
    void c07_a_view_is_released_by_hand_and_once_is_enough(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> ref = ray.put(bytes(1, 10));
            ObjectView view = ray.read(ref);
            view.close();
            view.close();
            assertThatThrownBy(() -> view.get(0)).isInstanceOf(RayClosedException.class);
            assertThat(ray.delete(ref)).isEqualTo(1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void c08_many_are_got_in_the_order_asked_for(Place place) {
        try (Place.Space here = place.enter(ray)) {
            List<ObjectRef<Long>> refs = new ArrayList<>();
            for (long i = 0; i < 200; i++) {
                refs.add(ray.put(i));
            }
            List<Integer> order = IntStream.range(0, 500).map(i -> i * 7919 % 200).boxed().toList();
            List<Long> values = ray.get(order.stream().map(refs::get).toList());
            assertThat(values).isEqualTo(order.stream().map(Integer::longValue).toList());
        }
    }

    @ParameterizedTest
    @EnumSource
    void c09_abort_by_id_fails_while_there_is_a_writer_and_afterwards_frees_the_id(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectWriter writer = ray.create(8);
            assertThatThrownBy(() -> ray.abort(writer.id())).isInstanceOf(ObjectInUseException.class);
            writer.release();
            ray.abort(writer.id());
            assertThatThrownBy(() -> ray.abort(writer.id())).isInstanceOf(ObjectNotFoundException.class);
        }
        ObjectId id = ObjectId.random();
        ray.create(id, 8).abort();
        assertThat(seal(ray.create(id, 3), bytes(1, 3)).get()).isEqualTo(bytes(1, 3));
    }

    @Test
    void c10_one_id_is_created_aborted_sealed_and_deleted_over_and_over() {
        ObjectId id = ObjectId.random();
        for (int i = 0; i < 200; i++) {
            ray.create(id, 1000 + i, new byte[] {7}).abort();
            assertThat(ray.contains(id)).isFalse();
            ObjectRef<byte[]> ref = seal(ray.create(id, 1000 + i), bytes(i, 1000 + i));
            assertThat(ref.get()).isEqualTo(bytes(i, 1000 + i));
            assertThat(ray.delete(id)).isEqualTo(1);
        }
        assertThat(ray.stats().live()).isZero();
        assertThat(ray.stats().objects()).isZero();
    }

    @Test
    void c10_objects_of_a_batch_are_created_aborted_sealed_and_deleted_over_and_over() {
        try (Batch b = ray.startBatch()) {
            for (int i = 0; i < 200; i++) {
                b.create(1000 + i).abort();
                ObjectRef<byte[]> ref = seal(b.create(1000 + i), bytes(i, 1000 + i));
                assertThat(ref.get()).isEqualTo(bytes(i, 1000 + i));
                assertThat(ray.delete(ref)).isEqualTo(1);
            }
            assertThat(b.status().objects()).isZero();
            assertThat(b.status().bytes()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void c11_a_client_that_leaves_does_not_disturb_another(Place place) {
        try (Place.Space here = place.enter(ray)) {
            ObjectRef<byte[]> ref = ray.put(bytes(1, 100));
            ObjectRef<byte[]> theirs;
            try (RayApi other = RayApi.connect(ray.storeName())) {
                assertThat(other.ownsStore()).isFalse();
                assertThat(other.get(ref)).isEqualTo(bytes(1, 100));
                ObjectView held = other.read(ref);
                assertThat(held.size()).isEqualTo(100);
                theirs = other.put(bytes(2, 50));
                try (Batch inner = other.startBatch()) {
                    inner.put(bytes(3, 30));
                }
            }
            assertThat(ref.get()).isEqualTo(bytes(1, 100));
            assertThat(ray.get(theirs)).isEqualTo(bytes(2, 50));
            assertThat(ray.delete(ref)).isEqualTo(1);
        }
    }

    @Test
    void c12_of_objects_sealed_aborted_and_left_unsealed_only_the_sealed_remain_after_disconnecting() {
        List<ObjectId> ids = new ArrayList<>();
        try (RayApi other = RayApi.connect(ray.storeName())) {
            for (int i = 0; i < 30; i++) {
                ids.add(ObjectId.random());
                ObjectWriter writer = other.create(ids.get(i), 100);
                switch (i % 3) {
                    case 0 -> writer.seal();
                    case 1 -> writer.abort();
                    default -> writer.putInt(0, i);
                }
            }
        }
        for (int i = 0; i < 30; i++) {
            assertThat(ray.contains(ids.get(i))).isEqualTo(i % 3 == 0);
        }
        assertThat(ray.list()).hasSize(10);
    }
}
