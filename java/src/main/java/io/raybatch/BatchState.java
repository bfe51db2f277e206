package io.raybatch;

/** Where a batch is in its life. A batch only ever moves down this list. */
public enum BatchState {
    /** Nothing ran yet. */
    WAITING,
    /** Something was done in it. */
    RUNNING,
    /** It takes no new work from outside. */
    ENDED,
    /** Its last task is over. */
    COMPLETED,
    /** It is collected, but a reader still holds some of its memory. */
    DRAINING,
    /** It is collected, and nothing of it is left. */
    COLLECTED;

    private static final BatchState[] ALL = values();

    static BatchState of(long number) {
        return ALL[Math.toIntExact(number)];
    }

    /** {@return true as long as the batch takes new work} */
    public boolean isOpen() {
        return compareTo(ENDED) < 0;
    }

    /** {@return true when its objects are gone} */
    public boolean isCollected() {
        return compareTo(DRAINING) >= 0;
    }
}
