package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** What {@code put} takes {@code get} gives back, equal; what it cannot give back it refuses. */
class ValuesCorpusTest extends StoreTest {

    record Held(Object value) {}

    static List<Kind> kinds() {
        List<Kind> all = new ArrayList<>(CorpusCollections.all());
        all.addAll(CorpusValues.all());
        all.addAll(CorpusClasses.all());
        return all;
    }

    @Test
    void there_are_enough_kinds() {
        assertThat(kinds()).hasSizeGreaterThan(150);
        assertThat(kinds().stream().map(Kind::name)).doesNotHaveDuplicates();
        assertThat(kinds().stream().filter(kind -> kind.refusal() != null)).hasSizeLessThan(25);
    }

    @TestFactory
    Stream<DynamicTest> each_kind_comes_back_or_is_refused() {
        return kinds().stream().map(kind -> DynamicTest.dynamicTest(kind.name(), () -> check(kind)));
    }

    private void check(Kind kind) throws Exception {
        if (kind.refusal() != null) {
            assertThatThrownBy(() -> ray.put(kind.value().get()))
                    .isInstanceOf(SerializationException.class)
                    .hasMessageContaining(kind.refusal());
            assertThatThrownBy(() -> ray.put(new Held(kind.value().get()))).isInstanceOf(SerializationException.class);
            return;
        }
        same("put and get", kind, ray.put(kind.value().get()).get());
        same("in a record", kind, ray.put(new Held(kind.value().get())).get().value);
        same("in a list", kind, ray.put(new ArrayList<>(java.util.Arrays.asList(kind.value().get(), null))).get().get(0));
        same("argument", kind, ray.task((Object value) -> new Held(value), kind.value().get()).remote().get().value);
        same("result", kind, ray.task((String name) -> find(name).value().get(), kind.name()).remote().get());
    }

    private static Kind find(String name) {
        return kinds().stream().filter(kind -> kind.name().equals(name)).findFirst().orElseThrow();
    }

    private static void same(String how, Kind kind, Object got) {
        Object expected = kind.value().get();
        assertThat(kind.same(expected, got))
                .as("%s by %s: %s, and not %s", kind, how, got == null ? null : got.getClass(), expected.getClass())
                .isTrue();
    }
}
