package io.raybatch;

import java.util.Objects;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A kind of value, for tests that put it and get it.
 *
 * @param name what it is
 * @param value makes one
 * @param behaviour what of it must be equal after a get; the value itself where it has a sound {@code equals}
 * @param refusal a part of the message with which {@code put} refuses it; null where it is taken
 */
record Kind(String name, Supplier<Object> value, Function<Object, Object> behaviour, String refusal) {

    /** One that has a sound {@code equals}. */
    static Kind equal(String name, Supplier<Object> value) {
        return new Kind(name, value, Function.identity(), null);
    }

    /** One that is compared by what it does. */
    @SuppressWarnings("unchecked")
    static <T> Kind behaves(String name, Supplier<T> value, Function<? super T, ?> behaviour) {
        return new Kind(name, (Supplier<Object>) value, got -> behaviour.apply((T) got), null);
    }

    /** One that {@code put} refuses. */
    static Kind refused(String name, Supplier<Object> value, String message) {
        return new Kind(name, value, Function.identity(), message);
    }

    /** True if the two cannot be told apart. */
    boolean same(Object expected, Object got) {
        return got != null && Objects.deepEquals(behaviour.apply(expected), behaviour.apply(got));
    }

    @Override
    public String toString() {
        return name;
    }
}
