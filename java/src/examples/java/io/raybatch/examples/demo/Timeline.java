package io.raybatch.examples.demo;

import io.raybatch.Ray;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/**
 * Bytes in use over time. A thread of its own samples the store every 5 ms; others add samples where it matters. Memory is bounded:
 * when there are too many samples, every second one goes, and from then on fewer are kept.
 */
final class Timeline implements AutoCloseable {

    private static final int MOST = 1 << 15;
    private static final long PERIOD_NANOS = 5_000_000;

    private final long began = System.nanoTime();
    private final Thread sampler = new Thread(this::run, "demo-sampler");
    private volatile boolean over;

    // Guarded by this.
    private final long[] nanos = new long[MOST];
    private final long[] used = new long[MOST];
    private int size;
    /** Between samples that are kept, unless they show a rise or a fall. */
    private long interval;
    private long lastKept = Long.MIN_VALUE / 2;
    private long peak;

    /** Starts sampling. */
    static Timeline start() {
        Timeline timeline = new Timeline();
        timeline.sampler.setDaemon(true);
        timeline.sampler.start();
        return timeline;
    }

    private void run() {
        while (!over) {
            sample();
            LockSupport.parkNanos(PERIOD_NANOS);
        }
    }

    /** Takes a sample now; returns the bytes in use. */
    synchronized long sample() {
        long bytes = Ray.instance().stats().used();
        long now = System.nanoTime() - began;
        peak = Math.max(peak, bytes);
        boolean turn = size > 0 && Math.abs(bytes - used[size - 1]) > peak / 64;
        if (now - lastKept >= interval || turn) {
            if (size == MOST) {
                thin();
            }
            nanos[size] = now;
            used[size++] = bytes;
            lastKept = now;
        }
        return bytes;
    }

    /** Of each two neighbours the higher and the lower one stay by turns, so that teeth stay teeth. */
    private void thin() {
        int kept = 0;
        for (int i = 0; i + 1 < size; i += 2) {
            boolean high = (i / 2) % 2 == 0;
            int at = used[i] > used[i + 1] == high ? i : i + 1;
            nanos[kept] = nanos[at];
            used[kept++] = used[at];
        }
        size = kept;
        interval = Math.max(100_000, 2 * interval);
    }

    /** Since the start. */
    synchronized double[] seconds() {
        return Arrays.stream(nanos, 0, size).mapToDouble(n -> n / 1e9).toArray();
    }

    /** Bytes in use at each of {@link #seconds}. */
    synchronized long[] used() {
        return Arrays.copyOf(used, size);
    }

    /** The highest sample. */
    synchronized long peak() {
        return peak;
    }

    /** Stops sampling, before the store is closed. */
    @Override
    public void close() {
        over = true;
        LockSupport.unpark(sampler);
        try {
            sampler.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
