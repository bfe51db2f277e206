package io.raybatch;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Lends the cpus of tasks whose threads wait for something that raybatch does not know of: a task that joins a future whose thread gets
 * another task's result would otherwise hold the cpu that this one needs.
 *
 * <p>Nobody looks unless a thread outside of the engine waits for it. Then, while no task begins or ends although one is ready and all
 * cpus are in use, workers are sampled: one that is found parked twice within one run lends its cpus until it is found
 * running, or its run ends. It counts to the limits of its batch and group as before. One worker at a time, and {@link #MOST} at most, so that threads do not multiply. A task that sleeps,
 * or waits in native code, keeps its cpus.
 */
final class CpuLoans {

    /** Time between two samples. */
    private static final long LOOK_NANOS = 125_000_000;
    /** Workers whose cpus are lent at one time. */
    private static final int MOST = 256;

    private final EmbeddedEngine engine;
    /** Threads outside, and stages, that wait. */
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicBoolean armed = new AtomicBoolean();
    /** worker → its runs so far, at the last sample; negative if it was not parked then. For the watch's thread. */
    private Map<Worker, Long> before = Map.of();

    CpuLoans(EmbeddedEngine engine) {
        this.engine = engine;
    }

    void waitsOutside(boolean begins) {
        if (!begins) {
            waiting.decrementAndGet();
            return;
        }
        waiting.incrementAndGet();
        arm();
    }

    private void arm() {
        if (!armed.get() && armed.compareAndSet(false, true) && !engine.watch().later(this::look, LOOK_NANOS)) {
            armed.set(false);
        }
    }

    private void look() {
        armed.set(false);
        try {
            boolean any = takeBack();
            if (waiting.get() > 0) {
                sample();
                any = true;
            } else {
                before = Map.of();
            }
            if (any) {
                arm();
            }
        } catch (RayClosedException closed) {
            // nothing waits any more
        } catch (RuntimeException | Error e) {
            // the timer would tell nobody
            RayLog.error("a look at the tasks' threads failed", e);
        }
    }

    /** Those that go on use their cpus again; true if others do not. */
    private boolean takeBack() {
        boolean any = false;
        for (Worker worker : engine.pool().workers()) {
            TaskContext context = worker.context();
            if (context.isLent() && (isParked(worker) || !context.lend(context.runs(), false))) {
                any = true;
            }
        }
        return any;
    }

    private void sample() {
        Map<Worker, Long> now = new HashMap<>();
        Worker parked = null;
        int lent = 0;
        boolean progress = false;
        for (Worker worker : engine.pool().workers()) {
            TaskContext context = worker.context();
            long runs = context.runs();
            Long known = before.get(worker);
            progress |= known == null || Math.abs(known) != runs + 1;
            lent += context.isLent() ? 1 : 0;
            boolean waits = context.running() == runs && isParked(worker);
            now.put(worker, waits ? runs + 1 : -runs - 1);
            if (waits && known != null && known == runs + 1) {
                parked = worker;
            }
        }
        progress |= now.size() != before.size();
        before = now;
        if (parked == null || progress || lent >= MOST || !engine.pool().isFull() || !hasReady()) {
            return;
        }
        if (parked.context().lend(before.get(parked) - 1, true)) {
            engine.heed(Native.FLAG_WAKE | Native.FLAG_ORDERS);
        }
    }

    /** Something that no worker has begun. */
    private boolean hasReady() {
        return engine.pool().hasUnbegun() || Native.hasReady(engine.client());
    }

    /** True for a thread that waits for another one. */
    private static boolean isParked(Thread thread) {
        return switch (thread.getState()) {
            case WAITING, BLOCKED -> true;
            case TIMED_WAITING -> {
                StackTraceElement[] stack = thread.getStackTrace();
                yield stack.length > 0 && !stack[0].getClassName().equals(Thread.class.getName());
            }
            default -> false;
        };
    }
}
