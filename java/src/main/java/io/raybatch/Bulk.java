package io.raybatch;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The pieces of work that a worker has taken. It begins them from the front; others that have nothing to do take what is not begun
 * from the back. Whoever copies a piece owns it only if the state did not change meanwhile, so nobody waits for anybody.
 */
final class Bulk {

    /** Pieces at most. */
    static final int MOST = 64;

    private static final int HEAD_SHIFT = 8;
    private static final int GENERATION_SHIFT = 16;
    private static final long EIGHT_BITS = 0xff;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(Bulk.class, "state", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** {@link Native#PIECE} figures each. */
    private final long[] pieces = new long[MOST * Native.PIECE];
    /** {@code generation << 16 | head << 8 | tail}: the pieces head … tail - 1 are not begun. */
    private volatile long state;

    /** To be filled while it is empty, by its worker. */
    long[] pieces() {
        return pieces;
    }

    /** There are so many now. */
    void filled(int count) {
        state = (state >>> GENERATION_SHIFT) + 1 << GENERATION_SHIFT | count;
    }

    /** How many are not begun. */
    int left() {
        long s = state;
        return tail(s) - head(s);
    }

    /** Where the next piece's figures begin, for its worker; -1 when there is none. */
    int next() {
        while (true) {
            long s = state;
            int head = head(s);
            if (head == tail(s)) {
                return -1;
            }
            if (STATE.compareAndSet(this, s, s + (1 << HEAD_SHIFT))) {
                return head * Native.PIECE;
            }
        }
    }

    /**
     * Takes half of what is not begun, from the back, for another worker.
     *
     * @param into takes the figures
     * @return how many
     */
    int steal(long[] into) {
        return take(into, false);
    }

    /** Takes all that is not begun. */
    int takeAll(long[] into) {
        return take(into, true);
    }

    private int take(long[] into, boolean all) {
        while (true) {
            long s = state;
            int head = head(s);
            int tail = tail(s);
            int count = all ? tail - head : tail - head + 1 >> 1;
            if (count <= 0) {
                return 0;
            }
            System.arraycopy(pieces, (tail - count) * Native.PIECE, into, 0, count * Native.PIECE);
            VarHandle.acquireFence();
            if (STATE.compareAndSet(this, s, s - count)) {
                return count;
            }
        }
    }

    /** True if a piece is among those that are not begun. */
    boolean has(int serial, long slot, int attempt) {
        long s = state;
        for (int n = head(s); n < tail(s); n++) {
            int at = n * Native.PIECE;
            if (pieces[at] == serial && pieces[at + 1] == slot && (int) pieces[at + 2] == attempt) {
                return true;
            }
        }
        return false;
    }

    private static int head(long s) {
        return (int) (s >>> HEAD_SHIFT & EIGHT_BITS);
    }

    private static int tail(long s) {
        return (int) (s & EIGHT_BITS);
    }
}
