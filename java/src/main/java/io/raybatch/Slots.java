package io.raybatch;

/** {@code slot << 24 | index}, as {@link Native#put} returns it. */
final class Slots {

    private static final int INDEX_BITS = 24;
    private static final long INDEX_MASK = (1L << INDEX_BITS) - 1;

    private Slots() {}

    static long pack(long slot, int index) {
        return slot << INDEX_BITS | index;
    }

    /** The slot itself. */
    static long slot(long packed) {
        return packed >>> INDEX_BITS;
    }

    static int index(long packed) {
        return (int) (packed & INDEX_MASK);
    }

    /** The task's own bits: its first slot above the base. */
    static long task(long base, long packed) {
        return base + slot(packed) - index(packed);
    }
}
