package io.raybatch;

import java.time.Duration;

/** A point in time to wait for at most, by {@link System#nanoTime()}. */
final class Deadline {

    static final Deadline NEVER = new Deadline(0, true);

    private final long at;
    private final boolean never;

    private Deadline(long at, boolean never) {
        this.at = at;
        this.never = never;
    }

    /**
     * From now.
     *
     * @throws InvalidArgumentException for a negative time
     */
    static Deadline in(Duration timeout) {
        if (timeout.isNegative()) {
            throw new InvalidArgumentException("the timeout is " + timeout + ", and must not be negative", ErrorDetails.NONE);
        }
        long nanos = nanos(timeout);
        // nanoTime is compared by differences, which half of the range must hold
        return nanos >= Long.MAX_VALUE / 2 ? NEVER : new Deadline(System.nanoTime() + nanos, false);
    }

    /** Nanoseconds that are left, none or less when it has passed. */
    long left() {
        return never ? Long.MAX_VALUE : at - System.nanoTime();
    }

    boolean isNever() {
        return never;
    }

    /** The largest number there is, for more than that. */
    static long nanos(Duration duration) {
        try {
            return duration.toNanos();
        } catch (ArithmeticException tooLong) {
            return Long.MAX_VALUE;
        }
    }
}
