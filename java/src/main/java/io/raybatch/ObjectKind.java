package io.raybatch;

/** What an object's bytes are; kept with them, so that a reader needs nothing but the id. */
public enum ObjectKind {
    /** A {@code byte[]}, or written through an {@link ObjectWriter}. */
    BYTES,
    /** Written by the {@link Serializer}. */
    SERIALIZED,
    /** A {@code String} in UTF-8. */
    STRING,
    /** What remained in a {@code ByteBuffer} whose order is big-endian. */
    BUFFER,
    /** A {@code boolean[]}, one byte each. */
    BOOLEANS,
    /** A {@code char[]}; this and all wider ones are little-endian. */
    CHARS,
    /** A {@code short[]}. */
    SHORTS,
    /** An {@code int[]}. */
    INTS,
    /** A {@code long[]}. */
    LONGS,
    /** A {@code float[]}. */
    FLOATS,
    /** A {@code double[]}. */
    DOUBLES,
    /** A task's result that is null. */
    NULL,
    /** Why a task has no result. */
    FAILURE,
    /** What remained in a {@code ByteBuffer} whose order is little-endian. */
    LITTLE_ENDIAN_BUFFER;

    private static final ObjectKind[] ALL = values();

    static ObjectKind of(long number) {
        return ALL[Math.toIntExact(number)];
    }
}
