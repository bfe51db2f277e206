package io.raybatch;

/** Slots that were received for use, block by block, each larger than the one before. For one thread. */
final class SlotBlocks {

    private static final int FIRST = 8;
    private static final int MOST = 256;
    private static final int COUNT_BITS = 24;
    private static final int COUNT_MASK = (1 << COUNT_BITS) - 1;

    private long first;
    private long next;
    private long end;
    private int size;

    void clear() {
        next = 0;
        end = 0;
        size = 0;
    }

    /** The first of so many consecutive ones; -1 if there are not so many. */
    long take(int count) {
        if (end - next < count) {
            return -1;
        }
        long taken = next;
        next += count;
        return taken;
    }

    /** The first of the block. */
    long first() {
        return first;
    }

    /** How many to ask for, to have at least so many. */
    int next(int count) {
        size = sizeAfter(size);
        return Math.max(size, count);
    }

    static int sizeAfter(int before) {
        return before == 0 ? FIRST : Math.min(2 * before, MOST);
    }

    /** @param block {@code first << 24 | count} */
    void refill(long block) {
        first = firstOf(block);
        next = first;
        end = first + countOf(block);
    }

    static long firstOf(long block) {
        return block >>> COUNT_BITS;
    }

    static int countOf(long block) {
        return (int) block & COUNT_MASK;
    }
}
