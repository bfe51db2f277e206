package io.raybatch;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What is known of a batch that ends when it is unreachable, and what is done then. The Cleaner's thread hands over to another, which
 * reports the batch, and ends and collects it. While the batch is on the stack of a thread it is only reported: the thread goes on
 * working in it, and it is ended when it is taken from the last stack. Must not refer to the batch's scope.
 */
final class LeakTracker implements Runnable {

    private static final int USES = 4;

    // The state: two flags, and above them the number of stacks' entries.
    private static final int UNREACHABLE = 1;
    /** Claimed by the thread that ends it. */
    private static final int ENDED = 2;
    private static final int ONE_ENTRY = 4;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(LeakTracker.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

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
    private volatile int state;
    private volatile boolean settled;
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
        return (state & UNREACHABLE) != 0;
    }

    /** True once it was ended because it is unreachable. */
    boolean isEndedAsLeak() {
        return (state & ENDED) != 0;
    }

    /** True once a leak was reported, and collected unless a thread still works in it. */
    boolean isHandled() {
        return handled;
    }

    /** A thread's stack has an entry of it. */
    void stacked() {
        STATE.getAndAdd(this, ONE_ENTRY);
    }

    /** An entry was removed. If it was the last one of a leaked batch, that is ended and collected now. */
    void unstacked() {
        int now = (int) STATE.getAndAdd(this, -ONE_ENTRY) - ONE_ENTRY;
        if (now < ONE_ENTRY && (now & UNREACHABLE) != 0) {
            endIfLeaked();
        }
    }

    /** On the Cleaner's thread, or the one that settled it. */
    @Override
    public void run() {
        if (!settled) {
            int before = (int) STATE.getAndBitwiseOr(this, UNREACHABLE);
            Background.own(() -> found(before < ONE_ENTRY));
        }
    }

    private void found(boolean end) {
        LeakReport report = null;
        try {
            report = reportIf(LeakTracker::isLeft);
            if (end) {
                endIfLeaked();
            }
        } catch (RayClosedException | BatchNotFoundException over) {
            // the client ended all its batches, or this one was collected so long ago that it is forgotten
        } finally {
            if (report == null || level == LeakLevel.DISABLED) {
                handled();
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
                handled();
            }
        });
    }

    private void handled() {
        LeakDetector.settled(this);
        handled = true;
    }

    /** False for a batch that was collected properly. */
    private static boolean isLeft(BatchStatus status) {
        return !status.state().isCollected() || status.reason().filter(EndReason.LEAKED::equals).isPresent();
    }

    /** {@return a report of it if it is open; null otherwise} */
    LeakReport reportIfOpen() {
        try {
            return reportIf(status -> status.state().isOpen());
        } catch (RayClosedException | BatchNotFoundException over) {
            return null;
        }
    }

    private LeakReport reportIf(Predicate<BatchStatus> condition) {
        BatchStatus status = BatchStatus.of(id, 0, Native.status(client, id, life));
        return condition.test(status) ? describe(status) : null;
    }

    /** Ends and collects it once, if it is unreachable. */
    void endIfLeaked() {
        int seen = state;
        while ((seen & (UNREACHABLE | ENDED)) == UNREACHABLE) {
            if (STATE.compareAndSet(this, seen, seen | ENDED)) {
                end();
                return;
            }
            seen = state;
        }
    }

    private void end() {
        try {
            BatchStatus status = BatchStatus.of(id, 0, Native.status(client, id, life));
            if (!status.state().isCollected()) {
                collectNow(status);
            }
        } catch (RayClosedException | BatchNotFoundException over) {
            // as above
        } finally {
            forget.run();
        }
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
        try {
            Native.gc(client, id, life);
        } catch (BatchActiveException tasksAreActive) {
            // its end was to collect it, which follows the last task
        }
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
                !isUnreachable(),
                Optional.ofNullable(startedAt),
                last);
    }
}
