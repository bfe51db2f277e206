package io.raybatch;

/** Why a batch ended. */
public enum EndReason {
    /** By {@code close}, {@code endBatch}, or the end of a batch around it. */
    CLOSED,
    /** Its {@linkplain BatchOptions.Builder#timeout timeout} ran out. */
    TIMED_OUT,
    /** It was cancelled. */
    CANCELLED,
    /** Nobody could reach it any more; see {@link LeakReport}. */
    LEAKED;

    private static final EndReason[] ALL = values();

    static EndReason of(long number) {
        return ALL[Math.toIntExact(number)];
    }
}
