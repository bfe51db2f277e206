package io.raybatch;

import java.util.concurrent.locks.LockSupport;

/**
 * One thread that waits until it is woken. Waking comes before or after the wait, once or often. Nothing is locked, so
 * a virtual thread that waits does not hold on to its carrier.
 */
final class Waiter implements Runnable {

    private final Thread thread = Thread.currentThread();
    private volatile boolean woken;

    /** Wakes it. */
    @Override
    public void run() {
        woken = true;
        LockSupport.unpark(thread);
    }

    /**
     * Waits to be woken since the last call returned. A task gives its slots up meanwhile.
     *
     * @return false when the deadline passed first
     * @throws RayInterruptedException with the thread's flag set again
     * @throws TaskCancelledException in a task that was cancelled
     */
    boolean await(Deadline deadline) {
        TaskContext task = woken ? null : TaskContext.checked();
        if (task == null) {
            return park(deadline);
        }
        try {
            task.block();
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
            if (deadline.isNever()) {
                LockSupport.park(this);
                continue;
            }
            long left = deadline.left();
            if (left <= 0) {
                return false;
            }
            LockSupport.parkNanos(this, left);
        }
        woken = false;
        return true;
    }
}
