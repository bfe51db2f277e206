package io.raybatch;

import io.raybatch.flight.FlightEvents;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Finds the batches that a piece of code leaks: the base of
 * {@link io.raybatch.junit.LeakDetectionExtension}, and of the like for other test frameworks.
 *
 * <pre>{@code
 * LeakDetector.Recording recording = LeakDetector.record();
 * ...
 * List<LeakReport> leaks = recording.stop();
 * }</pre>
 */
public final class LeakDetector {

    private static final List<Recording> RECORDINGS = new CopyOnWriteArrayList<>();

    private LeakDetector() {}

    /**
     * Starts to take note of the batches that are started, in any thread, and records for each at least what
     * {@link LeakLevel#ADVANCED} does.
     *
     * @return to be stopped
     */
    public static Recording record() {
        Recording recording = new Recording();
        RECORDINGS.add(recording);
        return recording;
    }

    static LeakLevel levelOver(LeakLevel configured) {
        return RECORDINGS.isEmpty() || configured == LeakLevel.PARANOID ? configured : LeakLevel.ADVANCED;
    }

    static void started(LeakTracker tracker) {
        for (Recording recording : RECORDINGS) {
            recording.open.add(tracker);
            recording.all.add(tracker);
        }
    }

    static void settled(LeakTracker tracker) {
        for (Recording recording : RECORDINGS) {
            recording.open.remove(tracker);
        }
    }

    static void report(LeakTracker tracker, LeakReport report, RayConfig config) {
        for (Recording recording : RECORDINGS) {
            if (recording.all.contains(tracker)) {
                recording.leaks.add(report);
            }
        }
        if (config.leakDetection() == LeakLevel.DISABLED) {
            return;
        }
        if (Flight.isOn()) {
            FlightEvents.leaked(report.batchId(), report.name(), report.thread(), report.age().toMillis(), report.objects(), report.bytes());
        }
        RayLog.error(report.message());
        config.leakListener().ifPresent(listener -> {
            try {
                listener.accept(report);
            } catch (RuntimeException e) {
                RayLog.warn("the leak listener failed", e);
            }
        });
    }

    /** From {@link #record()} to {@link #stop()}. */
    public static final class Recording {

        private static final int ROUNDS = 3;
        private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(10);

        /** Started meanwhile, and neither collected nor reported yet. */
        private final Set<LeakTracker> open = ConcurrentHashMap.newKeySet();

        /** Started meanwhile. */
        private final Set<LeakTracker> all = ConcurrentHashMap.newKeySet();

        private final List<LeakReport> leaks = new CopyOnWriteArrayList<>();

        private Recording() {}

        /**
         * Stops, looks for batches that were started meanwhile and cannot be reached any more, and collects those. That
         * a batch is still current in the calling thread does not count: it is made current no longer. The JVM must
         * heed {@code System.gc()}.
         *
         * @return a report for each
         */
        public List<LeakReport> stop() {
            CurrentBatch.forget(scope -> scope.isTracked() && all.contains(scope.tracker()));
            for (int round = 0; round < ROUNDS && !open.isEmpty(); round++) {
                collectGarbage();
                awaitReports();
            }
            RECORDINGS.remove(this);
            return List.copyOf(leaks);
        }

        /** Returns when all that the Cleaner has heard of is collected and reported. */
        private void awaitReports() {
            long start = System.nanoTime();
            while (all.stream().anyMatch(tracker -> tracker.isUnreachable() && !tracker.isHandled())
                    && System.nanoTime() - start < PATIENCE_NANOS) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
            }
        }

        /** Returns when the Cleaner has heard of all that is unreachable now. */
        private static void collectGarbage() {
            CountDownLatch found = new CountDownLatch(1);
            Cleaners.register(new Object(), found::countDown);
            for (int i = 0; i < ROUNDS && found.getCount() > 0; i++) {
                System.gc();
                await(found);
            }
        }

        private static void await(CountDownLatch latch) {
            try {
                latch.await(1, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
