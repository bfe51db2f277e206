package io.raybatch;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * A thread that runs tasks: takes pieces of work in bulk, runs them one by one, and reports them in bulk.
 *
 * <p>It <em>counts</em> among those that use the engine's slots from its start or waking on until it rests, waits within a task, or
 * is given up; whoever starts or wakes it has counted it, and as one that searches, too.
 */
final class Worker extends Thread {

    private static final AtomicInteger NUMBER = new AtomicInteger();

    private static final long REPORT_NANOS = 50_000;
    private static final long SEARCH_NANOS = 30_000;
    private static final long SWEEP_NANOS = 100_000_000;
    /** Until another takes the place of one that failed: not at once, lest one fail after the other. */
    private static final long REPLACE_NANOS = 10_000_000;

    // In place of a count of pieces:
    /** It has run them, or rested, and counts as one that searches. */
    private static final int SEARCHING = 0;
    /** This thread is over. */
    private static final int OVER = -1;

    private final EmbeddedEngine engine;
    private final WorkerPool pool;
    private final Bulk bulk = new Bulk();
    private final Report report;
    private final TaskContext context;
    private final TaskRun run;
    /** Pieces on their way back to the table. */
    private final long[] unbegun = new long[Bulk.MOST * Native.PIECE];

    private volatile boolean woken;
    /** False when this thread's end changes nothing: it has rested for long, or was given up. */
    private boolean counts = true;
    /** It counts as one that searches. */
    private boolean searches = true;
    /** It counts no more, unless somebody has woken it. */
    private boolean rests;
    /** What was reported has made tasks ready. */
    private boolean moreToDo;

    Worker(EmbeddedEngine engine) {
        super(null, null, "raybatch-worker-" + NUMBER.incrementAndGet(), 0, false);
        this.engine = engine;
        this.pool = engine.pool();
        this.report = new Report(engine);
        this.context = new TaskContext(engine, this);
        this.run = new TaskRun(engine, context, report, this);
        setDaemon(true);
        setContextClassLoader(Worker.class.getClassLoader());
    }

    TaskContext context() {
        return context;
    }

    Bulk bulk() {
        return bulk;
    }

    Report report() {
        return report;
    }

    @Override
    public void run() {
        boolean failed = true;
        try {
            work();
            failed = false;
        } catch (RuntimeException | Error e) {
            if (!(e instanceof RayClosedException) || !pool.isClosed()) {
                RayLog.error(getName() + " failed, and ends; another takes its place", e);
            }
            handOver();
        } finally {
            leave();
        }
        if (failed && !pool.isClosed()) {
            // somebody may have thought that this one would take what there is
            engine.watch().later(pool::wake, REPLACE_NANOS);
        }
    }

    /** Nothing that it has taken gets lost with it: what it was about fails, what it has not begun goes back. */
    private void handOver() {
        try {
            counts &= run.breakOff(bulk.pieces());
            giveBack();
        } catch (RayClosedException closed) {
            // all it had is over
        } catch (RuntimeException | Error e) {
            RayLog.error(getName() + " could not give back what it had taken", e);
        }
    }

    private void leave() {
        if (rests) {
            counts = !pool.leave(this);
            searches = counts;
        }
        if (searches) {
            pool.searched();
        }
        pool.gone(this, counts);
    }

    private void work() {
        while (!pool.isClosed()) {
            int next = search();
            if (next == 0) {
                next = rest();
            }
            if (next > 0) {
                next = runBulk();
            }
            if (next == OVER) {
                return;
            }
        }
    }

    // ---- looking for work -----------------------------------------------------------------------------------------

    /** Looks around for a moment, and counts as one that searches no more; how many pieces it has then. */
    private int search() {
        int seen = pool.hints();
        int count = 0;
        try {
            count = take();
            long end = count > 0 ? 0 : System.nanoTime() + SEARCH_NANOS;
            while (count == 0 && pool.fewSearch() && System.nanoTime() - end < 0) {
                for (int n = 0; n < 16 && pool.hints() == seen; n++) {
                    Thread.onSpinWait();
                }
                if (pool.hints() != seen) {
                    seen = pool.hints();
                    count = take();
                } else {
                    // who is to submit may be ready to run on this very processor
                    Thread.yield();
                }
            }
        } finally {
            searches = false;
            pool.searched();
        }
        if (count > 0 && pool.hints() != seen) {
            // of what came since it took, somebody thought that it would take it
            pool.wake();
        }
        return count;
    }

    /** Takes work from the table, or what another worker has not begun; how many pieces. */
    private int take() {
        int taken = engine.take(bulk.pieces());
        int count = taken < 0 ? 0 : taken & Native.MORE - 1;
        if (count == 0) {
            count = pool.steal(this, bulk.pieces());
        }
        moreToDo = false;
        if (count == 0) {
            return 0;
        }
        bulk.filled(count);
        if (count > 1) {
            engine.watch().arm();
        }
        if (count > 1 || taken > 0 && (taken & Native.MORE) != 0) {
            pool.wake();
        }
        return count;
    }

    /** Stops counting, and rests, unless there are pieces for it after all; how many. */
    private int rest() {
        pool.rest(this);
        rests = true;
        // who submitted before it was seen to rest has woken nobody
        int count = take();
        if (count == 0) {
            return awaitWaking();
        }
        if (pool.resume(this)) {
            rests = false;
            return count;
        }
        // somebody is about to wake it, and has counted it
        while (!woken) {
            Thread.onSpinWait();
        }
        woken = false;
        rests = false;
        pool.searched();
        // for other work than it has: it may have been this worker itself, of what it has left in the table
        pool.wake();
        return count;
    }

    /** {@link #SEARCHING}, or {@link #OVER} when nobody woke it for long. */
    private int awaitWaking() {
        run.forget();
        long end = System.nanoTime() + pool.idleNanos();
        boolean swept = false;
        while (!woken) {
            long left = end - System.nanoTime();
            if ((left <= 0 || pool.isClosed()) && pool.leave(this)) {
                rests = false;
                counts = false;
                return OVER;
            }
            LockSupport.parkNanos(this, swept ? Math.max(left, 1_000_000) : SWEEP_NANOS);
            // one that was meant for what it ran
            interrupted();
            if (!woken && !swept) {
                engine.releaseIdle();
                swept = true;
            }
        }
        woken = false;
        rests = false;
        searches = true;
        return SEARCHING;
    }

    /** For the pool, which has counted it. */
    void wakeUp() {
        woken = true;
        LockSupport.unpark(this);
    }

    // ---- doing it -------------------------------------------------------------------------------------------------

    /** {@link #SEARCHING}, or {@link #OVER}. */
    private int runBulk() {
        long now = System.nanoTime();
        for (int at = bulk.next(); at >= 0; at = bulk.next()) {
            now = run.piece(bulk.pieces(), at, now);
            if (now == TaskRun.ABANDONED) {
                counts = false;
                return OVER;
            }
            if (pool.isOver()) {
                return stepBack();
            }
            if (bulk.left() > 0 && report.isOlderThan(REPORT_NANOS, now)) {
                send();
            }
        }
        // first: who gets a result may submit more at once, which this worker will take
        searches();
        send();
        engine.sweep(now);
        return SEARCHING;
    }

    private void searches() {
        searches = true;
        pool.searches();
    }

    private void send() {
        heed(report.send());
    }

    private void heed(int flags) {
        moreToDo |= (flags & Native.FLAG_WAKE) != 0;
        if ((flags & Native.FLAG_ORDERS) != 0) {
            engine.orders().carryOut();
        }
    }

    /** There are more workers than slots, since some that waited went on: one of them rests. As {@link #runBulk}. */
    private int stepBack() {
        giveBack();
        if (!pool.stepBack(this)) {
            searches();
            return SEARCHING;
        }
        rests = true;
        if (moreToDo) {
            moreToDo = false;
            pool.wake();
        }
        return awaitWaking();
    }

    /** Reports all that was done, and what it has not begun as such: others are to have it. */
    private void giveBack() {
        int count = bulk.takeAll(unbegun);
        heed(report.addUnbegun(unbegun, count));
        send();
    }

    // ---- waiting within a task ------------------------------------------------------------------------------------

    /** The task that it runs is about to wait; {@code lent} if others have its cpus already. */
    void waits(int serial, long slot, int attempt, Awaited awaited, boolean lent) {
        if (!lent) {
            pool.blocked();
        }
        giveBack();
        boolean known = awaited != null && engine.serves(awaited.ray());
        int flags = known
                ? awaited.block(engine.client(), serial, slot, attempt)
                : Native.blocked(engine.client(), serial, slot, attempt, true);
        if (moreToDo) {
            flags |= Native.FLAG_WAKE;
            moreToDo = false;
        }
        engine.heed(flags);
    }

    /** The task goes on; it never waits for a cpu. */
    void goesOn(int serial, long slot, int attempt) {
        pool.unblocked();
        engine.heed(Native.blocked(engine.client(), serial, slot, attempt, false));
    }

    /** Others have the cpus of its task from now on, or no more: called by another thread. */
    void lends(int serial, long slot, int attempt, boolean lends) {
        if (lends) {
            Native.lend(engine.client(), serial, slot, attempt);
            pool.blocked();
        } else {
            pool.unblocked();
            Native.blocked(engine.client(), serial, slot, attempt, false);
        }
    }
}
