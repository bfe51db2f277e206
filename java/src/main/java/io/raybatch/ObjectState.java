package io.raybatch;

/** Where an object is in its life. */
public enum ObjectState {
    /** Being written. */
    CREATED,
    /** Immutable and visible. */
    SEALED,
    /** Its bytes were given up by {@code free}. */
    FREED;

    private static final ObjectState[] ALL = values();

    /** Numbered from 1, as in the arena. */
    static ObjectState of(long number) {
        return ALL[Math.toIntExact(number) - 1];
    }
}
