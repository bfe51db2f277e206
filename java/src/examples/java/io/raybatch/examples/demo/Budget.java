package io.raybatch.examples.demo;

import java.util.concurrent.TimeUnit;

/**
 * What a request may take.
 *
 * @param millis that long
 * @param cancels whether one that takes longer, and runs as tasks, is cancelled
 */
record Budget(long millis, boolean cancels) {

    static final Budget DEFAULT = new Budget(200, false);

    /** Of a request that began then, by {@link System#nanoTime}; not negative. */
    long nanosLeft(long began) {
        return Math.max(0, TimeUnit.MILLISECONDS.toNanos(millis) - (System.nanoTime() - began));
    }
}
