package io.raybatch;

import io.raybatch.flight.FlightEvents;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import java.util.stream.Stream;

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

    /** A batch was started that is held by its id. */
    static void startedById(Supplier<LeakTracker> tracker) {
        for (Recording recording : RECORDINGS) {
            recording.byId.add(tracker.get());
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
            } catch (Throwable e) {
                RayLog.warn("the leak listener failed", e);
            }
        });
    }

    /** From {@link #record()} to {@link #stop()} or {@link #stopWithNoneOpen()}. */
    public static final class Recording {

        private static final int ROUNDS = 3;
        private static final long RETRY_NANOS = TimeUnit.SECONDS.toNanos(1);
        private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(10);

        /** Started meanwhile, and neither collected nor reported yet. */
        private final Set<LeakTracker> open = ConcurrentHashMap.newKeySet();

        /** Started meanwhile. */
        private final Set<LeakTracker> all = ConcurrentHashMap.newKeySet();

        /** Started meanwhile with ids of the caller's: no leaks, but open perhaps. */
        private final Set<LeakTracker> byId = ConcurrentHashMap.newKeySet();

        private final List<LeakReport> leaks = new CopyOnWriteArrayList<>();

        private Recording() {}

        /**
         * Stops, looks for batches that were started meanwhile and are unreachable, for about a second while some are open, and ends and
         * collects those, also one that is current in a thread. The JVM must heed {@code System.gc()}.
         *
         * @return a report for each
         */
        public List<LeakReport> stop() {
            long start = System.nanoTime();
            while (!open.isEmpty() && System.nanoTime() - start < RETRY_NANOS) {
                // what ran tasks is kept reachable until the engine has seen that they are over
                Engines.releaseIdle();
                collectGarbage();
                awaitReports();
            }
            RECORDINGS.remove(this);
            all.forEach(LeakTracker::endIfLeaked);
            return List.copyOf(leaks);
        }

        /**
         * As {@link #stop}, and reports also batches that were started meanwhile and are reachable but open, those with ids of the
         * caller's included. These are not ended.
         *
         * @return a report for each
         */
        public List<LeakReport> stopWithNoneOpen() {
            List<LeakReport> found = new ArrayList<>(stop());
            Stream.concat(open.stream(), byId.stream())
                    .map(LeakTracker::reportIfOpen).filter(Objects::nonNull).forEach(found::add);
            return List.copyOf(found);
        }

        /** Returns when all that the Cleaner has found is reported. */
        private void awaitReports() {
            long start = System.nanoTime();
            while (all.stream().anyMatch(tracker -> tracker.isUnreachable() && !tracker.isHandled())
                    && System.nanoTime() - start < PATIENCE_NANOS) {
                LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
            }
        }

        /** Returns when the Cleaner has found all that is unreachable now. */
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
