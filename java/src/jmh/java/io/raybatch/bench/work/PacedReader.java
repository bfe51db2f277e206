package io.raybatch.bench.work;

import io.raybatch.bench.subject.Subject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A thread that reads an object at each tick of a clock, and notes how long after the tick it had it. A reader that is held up is
 * late for all the ticks meanwhile, and says so: one that merely timed its own reads would note one long read for a pause
 * that thousands of readers would have felt.
 */
final class PacedReader extends Thread {

    private static final long TICK_NANOS = 2_000;
    private static final int TICKS = 60_000_000;

    private final Subject subject;
    private final int[] numbers;
    private final byte[] into;
    private final int[] lateness = new int[TICKS];
    private final long began = System.nanoTime();
    private volatile boolean stopping;
    private int ticks;
    private long sum;

    /** From a moment to a moment, as {@link System#nanoTime}. */
    record Window(long from, long to) {}

    PacedReader(Subject subject, int[] numbers, int size) {
        super("reader");
        this.subject = subject;
        this.numbers = numbers;
        this.into = new byte[size];
    }

    @Override
    public void run() {
        while (!stopping && ticks < TICKS) {
            long tick = began + ticks * TICK_NANOS;
            while (System.nanoTime() < tick) {
                Thread.onSpinWait();
            }
            int size = subject.get(numbers[ticks % numbers.length], into);
            sum += into[0] + into[size - 1];
            lateness[ticks++] = (int) Math.min(System.nanoTime() - tick, Integer.MAX_VALUE);
        }
    }

    /** {@return a sum, lest the reads be for nothing} */
    long end() throws InterruptedException {
        stopping = true;
        join();
        return sum;
    }

    /** The latency that a part of the ticks within the windows was not above, in nanoseconds; after {@link #end}. */
    double percentile(List<Window> windows, double part) {
        List<int[]> pieces = new ArrayList<>();
        for (Window window : windows) {
            int from = tick(window.from());
            pieces.add(Arrays.copyOfRange(lateness, from, Math.max(from, tick(window.to()))));
        }
        int[] all = pieces.stream().flatMapToInt(Arrays::stream).sorted().toArray();
        if (all.length == 0) {
            throw new IllegalStateException("no read fell into the windows");
        }
        return all[(int) Math.min(all.length - 1L, (long) (part * all.length))];
    }

    private int tick(long moment) {
        return (int) Math.max(0, Math.min(ticks, (moment - began + TICK_NANOS - 1) / TICK_NANOS));
    }
}
