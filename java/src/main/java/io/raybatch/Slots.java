package io.raybatch;

/** {@code slot << 24 | index}, as {@link Native#put} returns it. */
final class Slots {

    private static final int INDEX_BITS = 24;
    private static final long INDEX_MASK = (1L << INDEX_BITS) - 1;

    private Slots() {}

    /** The task's own bits: its first slot above the base. */
    static long task(long base, long slot) {
        return base + (slot >>> INDEX_BITS) - (slot & INDEX_MASK);
    }

    static int index(long slot) {
        return (int) (slot & INDEX_MASK);
    }
}
