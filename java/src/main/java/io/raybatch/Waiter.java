package io.raybatch;

import java.util.concurrent.locks.LockSupport;

/**
 * One thread that waits until it is woken. Waking comes before or after the wait, once or often. Nothing is locked, so
 * a virtual thread that waits does not hold on to its carrier.
 */
final class Waiter implements Runnable {

    private static final long NEVER = Long.MAX_VALUE;

    private final Thread thread = Thread.currentThread();
    /** Null for what need not be known. */
    private final Awaited awaited;
    /** For how long it waits without a word, in all. */
    private final long patience;
    private final long since;
    private boolean warned;
    private volatile boolean woken;

    Waiter() {
        this.awaited = null;
        this.patience = NEVER;
        this.since = 0;
    }

    /** For a wait that is worth a warning when it is long: all of it, however often {@link #await} is called. */
    Waiter(Awaited awaited) {
        this.awaited = awaited;
        this.patience = Deadline.nanos(awaited.ray().config().waitWarning());
        this.since = System.nanoTime();
        this.warned = patience == 0;
    }

    /** Wakes it. */
    @Override
    public void run() {
        woken = true;
        LockSupport.unpark(thread);
    }

    /**
     * Waits to be woken since the last call returned. A task gives its cpus up meanwhile.
     *
     * @return false when the deadline passed first
     * @throws RayInterruptedException with the thread's flag set again
     * @throws TaskCancelledException in a task that was cancelled
     * @throws DeadlockException in a task, when what it waits for needs that task to go on
     */
    boolean await(Deadline deadline) {
        TaskContext task = woken ? null : TaskContext.checked();
        Engine engine = awaited == null || woken ? null : awaited.ray().tasks().engineIfStarted();
        if (engine == null || task != null && task.isOf(engine)) {
            return task == null ? park(deadline) : parkIn(task, deadline);
        }
        engine.waitsOutside(true);
        try {
            return task == null ? park(deadline) : parkIn(task, deadline);
        } finally {
            engine.waitsOutside(false);
        }
    }

    private boolean parkIn(TaskContext task, Deadline deadline) {
        try {
            task.block(awaited);
            return park(deadline);
        } catch (RayInterruptedException interrupted) {
            throw task.isCancelled() ? task.cancelled() : interrupted;
        } finally {
            task.unblock();
        }
    }

    private boolean park(Deadline deadline) {
        while (!woken) {
            if (Thread.currentThread().isInterrupted()) {
                throw new RayInterruptedException(
                        "interrupted while waiting for the store", ErrorDetails.of(new InterruptedException()));
            }
            long left = deadline.left();
            if (left <= 0) {
                return false;
            }
            long quiet = warned || patience == NEVER ? NEVER : patience - (System.nanoTime() - since);
            if (quiet <= 0) {
                warn();
            } else if (Math.min(left, quiet) == NEVER) {
                LockSupport.park(this);
            } else {
                LockSupport.parkNanos(this, Math.min(left, quiet));
            }
        }
        woken = false;
        return true;
    }

    private void warn() {
        warned = true;
        String what;
        try {
            what = awaited.describe();
        } catch (RayException e) {
            what = "something of a store that answers: " + e.getMessage();
        }
        RayLog.warn("thread " + thread.getName() + " has waited " + awaited.ray().config().waitWarning().toMillis()
                + " ms for " + what, null);
    }
}
