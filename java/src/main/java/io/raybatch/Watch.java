package io.raybatch;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * What has to happen to workers by time: a cancelled run that does not end is given up; what a worker has done or has not begun
 * does not wait for a piece that takes long after all. A thread of its own, while there is something to watch.
 */
final class Watch {

    private static final long LOOK_NANOS = 2_000_000;
    private static final long IDLE_SECONDS = 10;

    private static final LimitedLog GIVEN_UP = new LimitedLog();
    private static final LimitedLog FAILED = new LimitedLog();

    private final EmbeddedEngine engine;
    private final ScheduledThreadPoolExecutor timer;
    private final AtomicBoolean armed = new AtomicBoolean();
    private final long[] unbegun = new long[Bulk.MOST * Native.PIECE];

    Watch(EmbeddedEngine engine) {
        this.engine = engine;
        this.timer = new ScheduledThreadPoolExecutor(1, task -> Threads.daemon("raybatch-watch", task));
        timer.setKeepAliveTime(IDLE_SECONDS, TimeUnit.SECONDS);
        timer.allowCoreThreadTimeOut(true);
        timer.setExecuteExistingDelayedTasksAfterShutdownPolicy(false);
    }

    void close() {
        timer.shutdown();
    }

    /**
     * Does something after some time, unless the engine closes before.
     *
     * @return false where there was no thread for it: it is done when something else is, that is asked for later
     */
    boolean later(Runnable what, long nanos) {
        try {
            timer.schedule(what, nanos, TimeUnit.NANOSECONDS);
        } catch (RejectedExecutionException closed) {
            // the engine's end does all of this
        } catch (OutOfMemoryError noThread) {
            FAILED.error(() -> "no thread that watches the workers: what is to happen by time waits", noThread);
            return false;
        }
        return true;
    }

    // ---- a piece that takes long ----------------------------------------------------------------------------------

    /** A worker has several pieces. */
    void arm() {
        if (!armed.get() && armed.compareAndSet(false, true) && !later(this::look, LOOK_NANOS)) {
            armed.set(false);
        }
    }

    private void look() {
        armed.set(false);
        try {
            long now = System.nanoTime();
            boolean busy = false;
            for (Worker worker : engine.pool().workers()) {
                int left = worker.bulk().left();
                boolean reports = !worker.report().isEmpty();
                busy |= left > 0 || reports;
                if (now - worker.context().since() < LOOK_NANOS) {
                    continue;
                }
                if (reports) {
                    engine.heed(worker.report().send());
                }
                if (left > 0) {
                    engine.pool().wake();
                }
            }
            if (busy) {
                arm();
            }
        } catch (RayClosedException closed) {
            // nothing is left to watch
        } catch (RuntimeException | Error e) {
            // the timer would tell nobody
            FAILED.error(() -> "a look at the workers failed", e);
        }
    }

    // ---- a run that does not end ----------------------------------------------------------------------------------

    /** A run was interrupted: it has some time to end. */
    void giveUpLater(Worker worker, long run) {
        later(() -> giveUp(worker, run), Deadline.nanos(engine.grace()));
    }

    private void giveUp(Worker worker, long run) {
        TaskContext.Abandoned what = worker.context().abandon(run);
        if (what == null) {
            return;
        }
        engine.pool().abandoned(worker, what.waited());
        try {
            int flags = worker.report().addUnbegun(unbegun, worker.bulk().takeAll(unbegun));
            flags |= worker.report().send();
            byte[] thread = worker.getName().getBytes(StandardCharsets.UTF_8);
            flags |= Native.abandon(engine.client(), what.serial(), what.slot(), what.attempt(), thread);
            engine.heed(flags | Native.FLAG_WAKE);
        } catch (RayClosedException closed) {
            return;
        } catch (RuntimeException | Error e) {
            FAILED.error(() -> "giving up " + worker.getName() + " failed", e);
            return;
        }
        GIVEN_UP.warn(() -> "a task was cancelled and ignores its interrupt: thread " + worker.getName()
                + " is given up, and another takes its place", null);
    }
}
