package io.raybatch;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Work of raybatch's own: daemon threads, not more than {@link #MOST} and one, and none soon after the last client has closed.
 *
 * <table>
 * <caption>Two kinds of work</caption>
 * <tr><th>by</th><th>what</th><th>may block</th></tr>
 * <tr><td>{@link #run}</td><td>what ends in a user's code: stages and what continues them, listeners</td><td>yes: then what comes
 *   later waits once all threads do</td></tr>
 * <tr><td>{@link #own}</td><td>what tasks and batches cannot go on without: orders of the table, collecting what leaked, asking for a
 *   thread again</td><td>never</td></tr>
 * </table>
 *
 * <p>So users' code that blocks delays other users' code and nothing else. The one thread for the second kind is there while a
 * client is open, also where the system has no further thread to give.
 */
final class Background {

    /** As many threads at most run what may be a user's code. */
    static final int MOST = 32;

    private static final long IDLE_MILLIS = 1_000;
    /** Until work for which there was no thread is tried again. */
    private static final long RETRY_MILLIS = 100;

    private static final AtomicInteger COUNT = new AtomicInteger();

    private static final ThreadPoolExecutor USERS = new ThreadPoolExecutor(
            MOST, MOST, IDLE_MILLIS, TimeUnit.MILLISECONDS, new LinkedBlockingQueue<>(),
            work -> Threads.daemon("raybatch-" + COUNT.incrementAndGet(), work));

    static {
        USERS.allowCoreThreadTimeOut(true);
    }

    /** Null while no client is open. Written with the class's lock. */
    private static volatile ScheduledThreadPoolExecutor own;

    /** Open clients. Guarded by the class. */
    private static int clients;

    private Background() {}

    /**
     * A client opens.
     *
     * @throws StoreOpenException when there is no thread to be had
     */
    static synchronized void opened() {
        if (clients == 0) {
            ScheduledThreadPoolExecutor first =
                    new ScheduledThreadPoolExecutor(1, work -> Threads.daemon("raybatch-own", work));
            first.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
            first.setRemoveOnCancelPolicy(true);
            try {
                first.prestartCoreThread();
            } catch (OutOfMemoryError noThread) {
                throw new StoreOpenException(ThreadLimitException.what("a store", noThread), ErrorDetails.of(noThread));
            }
            own = first;
        }
        clients++;
    }

    /** It has closed. */
    static synchronized void closed() {
        clients--;
        if (clients == 0) {
            own.shutdown();
            own = null;
            SpareThreads.release();
            ForySerializer.rest();
        }
    }

    /** Runs what may end in a user's code. */
    static void run(Runnable work) {
        Runnable guarded = guarded(work);
        try {
            USERS.execute(guarded);
        } catch (OutOfMemoryError noThread) {
            if (USERS.getPoolSize() > 0) {
                // those that there are come to it
                USERS.getQueue().add(guarded);
                if (USERS.getPoolSize() == 0 && USERS.getQueue().remove(guarded)) {
                    // the last of them ended just before
                    run(work);
                }
            } else if (!later(() -> run(work), RETRY_MILLIS, TimeUnit.MILLISECONDS)) {
                RayLog.error("no thread for work in the background, which is not done", noThread);
            }
        }
    }

    /** Runs what blocks nobody, whatever users' code does meanwhile. */
    static void own(Runnable work) {
        if (!later(work, 0, TimeUnit.NANOSECONDS)) {
            run(work);
        }
    }

    /**
     * Runs what blocks nobody, after some time.
     *
     * @return false when no client is open any more
     */
    static boolean later(Runnable work, long time, TimeUnit unit) {
        ScheduledThreadPoolExecutor here = own;
        if (here == null) {
            return false;
        }
        try {
            here.schedule(guarded(work), time, unit);
            return true;
        } catch (RejectedExecutionException closed) {
            return false;
        }
    }

    private static Runnable guarded(Runnable work) {
        return () -> {
            try {
                work.run();
            } catch (RuntimeException | Error e) {
                RayLog.warn("work in the background failed", e);
            }
        };
    }
}
