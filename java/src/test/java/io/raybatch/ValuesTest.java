package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.time.LocalDate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ValuesTest extends StoreTest {

    record Point(int x, double y, String label, List<Point> next) {}

    static final class Node {
        Node self;
        long value;
    }

    @ParameterizedTest
    @EnumSource
    @SuppressWarnings("try") // a place is entered to be left
    void every_value_comes_back_as_it_was(Place place) {
        List<Object> values = List.of(
                new byte[0], bytes(1, 10), bytes(2, 100_000), bytes(3, 3_000_000),
                "", "plain", "gr\u00fc\u00df \u4e16\u754c \ud83d\ude00", "x".repeat(1_000_000),
                new boolean[] {true, false, true}, new char[] {'a', '\ud800', '\uffff'}, new short[] {-1, 2},
                new int[] {Integer.MIN_VALUE, 7}, new long[] {Long.MAX_VALUE, -7, 0},
                new float[] {Float.NaN, -0f, 1.5f}, new double[] {Double.NEGATIVE_INFINITY, Math.PI},
                new int[0], new int[100_000],
                42, -7L, 2.5, true, 'c', new BigDecimal("1.25"), LocalDate.of(2026, 1, 2),
                List.of(1, "two", 3.0), Map.of("k", List.of(1, 2)), new String[] {"a", "b"}, Thread.State.BLOCKED,
                new Point(1, 2.5, "p", List.of(new Point(3, 4, "q", List.of()))));
        try (Place.Space here = place.enter(ray)) {
            List<ObjectRef<Object>> refs = new ArrayList<>();
            for (Object value : values) {
                refs.add(ray.put(value));
            }
            List<Object> got = ray.get(refs);
            for (int i = 0; i < values.size(); i++) {
                assertThat(got.get(i)).isEqualTo(values.get(i)).hasSameClassAs(values.get(i)).isNotSameAs(new Object());
            }
        }
    }

    @Test
    void a_cyclic_graph_keeps_its_shape() {
        Node node = new Node();
        node.self = node;
        node.value = 7;
        Node got = ray.put(node).get();
        assertThat(got.self).isSameAs(got);
        assertThat(got.value).isEqualTo(7);
    }

    @Test
    void of_a_buffer_what_remains_is_put_and_its_position_stays() {
        for (ByteBuffer whole : List.of(ByteBuffer.allocate(100), ByteBuffer.allocateDirect(100))) {
            whole.put(bytes(1, 100));
            ByteBuffer buffer = whole.position(10).limit(60).slice().position(5).limit(45);
            for (ByteBuffer form : List.of(buffer, buffer.asReadOnlyBuffer())) {
                ByteBuffer got = ray.put(form).get();
                assertThat(got).isEqualTo(buffer).isNotSameAs(buffer);
                assertThat(got.remaining()).isEqualTo(40);
                assertThat(form.position()).isEqualTo(5);
            }
        }
    }

    @Test
    void what_is_put_is_a_copy() {
        byte[] mine = {1, 2, 3};
        ObjectRef<byte[]> ref = ray.put(mine);
        mine[0] = 9;
        assertThat(ref.get()).containsExactly(1, 2, 3);
        ref.get()[1] = 9;
        assertThat(ref.get()).containsExactly(1, 2, 3);
    }

    @Test
    void a_reference_from_an_id_checks_the_type() {
        ObjectRef<byte[]> ref = ray.put(bytes(1, 10));
        assertThat(ray.ref(ref.id(), byte[].class).get()).isEqualTo(bytes(1, 10));
        assertThat(ray.ref(ref.id(), Object.class).get()).isEqualTo(bytes(1, 10));
        assertThatThrownBy(() -> ray.ref(ref.id(), int[].class).get())
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("byte[]")
                .hasMessageContaining("int[]");
        assertThatThrownBy(() -> ray.put(ref)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void a_strict_serializer_names_the_class_to_register() {
        reopen(config -> config.serializer(Serializer.fory(LocalDate.class)));
        assertThatThrownBy(() -> ray.put(new Point(1, 2, "p", List.of())))
                .isInstanceOf(SerializationException.class)
                .hasMessageContaining("Point");
        reopen(config -> config.serializer(Serializer.fory(Point.class)));
        Point point = new Point(1, 2, "p", List.of());
        assertThat(ray.put(point).get()).isEqualTo(point);
    }

    @Test
    void a_serializer_of_ones_own_is_used_and_its_failure_is_the_cause() {
        IllegalStateException failure = new IllegalStateException("no");
        reopen(config -> config.serializer(new Serializer() {
            @Override
            public byte[] serialize(Object value) {
                return ((Integer) value).toString().getBytes();
            }

            @Override
            public Object deserialize(byte[] bytes) {
                if (bytes.length == 1) {
                    return Integer.valueOf(new String(bytes));
                }
                throw failure;
            }
        }));
        assertThat(ray.put(7).get()).isEqualTo(7);
        ObjectRef<Integer> long_ = ray.put(77);
        assertThatThrownBy(long_::get).isInstanceOf(SerializationException.class).hasCause(failure);
        assertThatThrownBy(() -> ray.put(List.of()))
                .isInstanceOf(SerializationException.class)
                .hasCauseInstanceOf(ClassCastException.class);
    }
}
