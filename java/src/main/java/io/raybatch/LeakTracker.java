package io.raybatch;

import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;

/**
 * What is known of a batch when nobody can reach it any more, and what is done then: the Cleaner's thread hands over to
 * another, which ends and collects the batch and reports it. Must not refer to the batch's scope.
 */
final class LeakTracker implements Runnable {

    private static final int USES = 4;

    private final long client;
    private final RayConfig config;
    private final long id;
    private final long life;
    private final String name;
    private final Runnable forget;
    private final String thread = Caller.name();
    private final long started = System.nanoTime();
    private final LeakLevel level;
    /** Null below {@link LeakLevel#ADVANCED}. */
    private final Throwable startedAt;
    /** The last uses, oldest first; null below {@link LeakLevel#PARANOID}. Guarded by itself. */
    private final Deque<Throwable> uses;
    private volatile boolean settled;
    private volatile boolean unreachable;
    private volatile boolean handled;
    private Cleaner.Cleanable cleanable;

    LeakTracker(long client, RayConfig config, long id, long life, String name, Runnable forget) {
        this.client = client;
        this.config = config;
        this.id = id;
        this.life = life;
        this.name = name;
        this.forget = forget;
        this.level = LeakDetector.levelOver(config.leakDetection());
        this.startedAt = level.compareTo(LeakLevel.ADVANCED) >= 0 ? new Trace("started here, by " + thread) : null;
        this.uses = level == LeakLevel.PARANOID ? new ArrayDeque<>(USES) : null;
    }

    Optional<Throwable> startedAt() {
        return Optional.ofNullable(startedAt);
    }

    /** Where something was done: only for its stack trace. */
    private static final class Trace extends Throwable {
        private static final long serialVersionUID = 1;

        Trace(String what) {
            super(what);
        }
    }

    /** Once, before the scope is given to anybody. */
    void watch(BatchScope scope) {
        cleanable = Cleaners.register(scope, this);
        LeakDetector.started(this);
    }

    void used() {
        if (uses == null) {
            return;
        }
        Trace trace = new Trace("used here, by " + Caller.name());
        synchronized (uses) {
            if (uses.size() == USES) {
                uses.removeFirst();
            }
            uses.addLast(trace);
        }
    }

    void settled() {
        settled = true;
        cleanable.clean();
        LeakDetector.settled(this);
    }

    /** True once the Cleaner has found the scope unreachable. */
    boolean isUnreachable() {
        return unreachable;
    }

    /** True once what the Cleaner found was collected and reported. */
    boolean isHandled() {
        return handled;
    }

    /** On the Cleaner's thread, or the one that settled it. */
    @Override
    public void run() {
        if (!settled) {
            unreachable = true;
            Background.own(this::collect);
        }
    }

    private void collect() {
        LeakReport report = null;
        try {
            report = collectAndDescribe();
        } catch (RayClosedException | BatchNotFoundException over) {
            // the client ended all its batches, or this one is so long gone that it is forgotten
        } finally {
            if (report == null) {
                collected();
            } else {
                report(report);
            }
        }
    }

    /** A listener is a user's code. */
    private void report(LeakReport report) {
        Background.run(() -> {
            try {
                LeakDetector.report(this, report, config);
            } finally {
                collected();
            }
        });
    }

    private void collected() {
        forget.run();
        LeakDetector.settled(this);
        handled = true;
    }

    /** Null if somebody collected it properly. */
    private LeakReport collectAndDescribe() {
        BatchStatus status = BatchStatus.of(id, 0, Native.status(client, id, life));
        boolean byOuter = status.reason().filter(EndReason.LEAKED::equals).isPresent();
        if (status.state().isCollected() && !byOuter) {
            return null;
        }
        if (!status.state().isCollected()) {
            collectNow(status);
        }
        return level == LeakLevel.DISABLED ? null : describe(status);
    }

    private void collectNow(BatchStatus status) {
        if (status.state().isOpen()) {
            try {
                Native.endBatch(client, id, life, true, false, null, EndReason.LEAKED.ordinal(), "leak detection");
                return;
            } catch (BatchEndedException | ObjectCollectedException meanwhile) {
                // by its timeout, or with the batch around it
            }
        }
        Native.gc(client, id, life);
    }

    private LeakReport describe(BatchStatus status) {
        List<Throwable> last = List.of();
        if (uses != null) {
            synchronized (uses) {
                last = List.copyOf(uses);
            }
        }
        return new LeakReport(
                id,
                name == null ? "" : name,
                thread,
                Duration.ofNanos(System.nanoTime() - started),
                status.objects(),
                status.bytes(),
                level,
                Optional.ofNullable(startedAt),
                last);
    }
}
