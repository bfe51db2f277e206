package io.raybatch;

import java.util.ArrayDeque;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The engine's threads: how many there are, who is woken when there is work, and that nobody sleeps while there is some.
 *
 * <p>Who makes work tells the table first and looks then whether somebody searches, or whether all slots are used. Who finds none
 * stops searching and counting first, and looks once more then. So one of the two sees the other.
 */
final class WorkerPool {

    /** Until a thread is asked for again where none could be had. */
    private static final long RETRY_MILLIS = 100;
    /** How long a worker rests before its thread ends. */
    private static final long IDLE_NANOS = 10_000_000_000L;

    private final EmbeddedEngine engine;
    private final int slots;
    private final List<Worker> workers = new CopyOnWriteArrayList<>();
    /** Those that rest, the last one last. Guarded by itself. */
    private final ArrayDeque<Worker> resting = new ArrayDeque<>();
    /** Workers that use slots: neither at rest nor waiting within a task. */
    private final AtomicInteger counted = new AtomicInteger();
    /** Those of them that look for work. */
    private final AtomicInteger searching = new AtomicInteger();
    /** Changes when there may be work. */
    private final AtomicInteger hints = new AtomicInteger();
    /** True from the moment when there was no further thread to the next that there is. */
    private final AtomicBoolean scarce = new AtomicBoolean();
    /** A thread will be asked for again soon. */
    private final AtomicBoolean retrying = new AtomicBoolean();
    private volatile boolean closed;

    WorkerPool(EmbeddedEngine engine, int slots) {
        this.engine = engine;
        this.slots = slots;
    }

    List<Worker> workers() {
        return workers;
    }

    // ---- work for one more ----------------------------------------------------------------------------------------

    int hints() {
        return hints.get();
    }

    /** There may be work for one more. */
    void wake() {
        hints.getAndIncrement();
        if (searching.get() > 0 || counted.get() >= slots || closed) {
            return;
        }
        Worker worker;
        synchronized (resting) {
            if (counted.get() >= slots) {
                return;
            }
            counted.incrementAndGet();
            searching.incrementAndGet();
            worker = resting.pollLast();
        }
        if (worker != null) {
            worker.wakeUp();
        } else {
            start();
        }
    }

    private void start() {
        Worker worker = null;
        try {
            if (workers.size() >= slots) {
                SpareThreads.ensure();
            }
            worker = Threads.made(() -> new Worker(engine));
            workers.add(worker);
            worker.start();
            scarce.set(false);
        } catch (OutOfMemoryError noThread) {
            if (worker != null) {
                workers.remove(worker);
            }
            searching.decrementAndGet();
            withoutThread(noThread, counted.decrementAndGet());
        }
    }

    /**
     * There is no thread for what is ready. Those that count take it when they come to it. Where none does, all wait within tasks,
     * perhaps for that very work: then one piece of it fails, which lets a task go on that waits for it; and so on, in a while, until
     * there is a thread for the others or nothing is ready.
     */
    private void withoutThread(OutOfMemoryError why, int others) {
        SpareThreads.release();
        if (!scarce.getAndSet(true)) {
            RayLog.error(ThreadLimitException.what("tasks; what is ready waits for the threads that there are", why), null);
        }
        boolean more = others > 0 || engine.failOne(why);
        if (more && !closed && !retrying.getAndSet(true)) {
            boolean later = Background.later(() -> {
                retrying.set(false);
                wake();
            }, RETRY_MILLIS, TimeUnit.MILLISECONDS);
            if (!later) {
                retrying.set(false);
            }
        }
    }

    /** How long a worker may rest: not at all in a process that has no further thread. */
    long idleNanos() {
        return scarce.get() ? 0 : IDLE_NANOS;
    }

    /** One is about to search. */
    void searches() {
        searching.incrementAndGet();
    }

    /** True if one that has found nothing may look for a moment longer: there are not many that do. */
    boolean fewSearch() {
        return searching.get() <= 1 + slots / 8;
    }

    /** One searches no more. */
    void searched() {
        searching.decrementAndGet();
    }

    /** Takes what others have not begun. */
    int steal(Worker thief, long[] into) {
        for (Worker worker : workers) {
            if (worker != thief && worker.bulk().left() > 0) {
                int count = worker.bulk().steal(into);
                if (count > 0) {
                    return count;
                }
            }
        }
        return 0;
    }

    // ---- who counts -----------------------------------------------------------------------------------------------

    /** It counts no more, and can be woken. */
    void rest(Worker worker) {
        synchronized (resting) {
            resting.addLast(worker);
            counted.decrementAndGet();
        }
    }

    /** It has found work after all, and counts; false if somebody is waking it just now. */
    boolean resume(Worker worker) {
        synchronized (resting) {
            boolean rested = resting.remove(worker);
            if (rested) {
                counted.incrementAndGet();
            }
            return rested;
        }
    }

    /** True if all cpus are in use: no further worker starts. */
    boolean isFull() {
        return counted.get() >= slots;
    }

    /** True if a worker has pieces that it has not begun. */
    boolean hasUnbegun() {
        for (Worker worker : workers) {
            if (worker.bulk().left() > 0) {
                return true;
            }
        }
        return false;
    }

    /** True if there are more than slots, so that one that has just ended a task should rest. */
    boolean isOver() {
        return counted.get() > slots;
    }

    /** As {@link #rest}, if there are still more than slots. */
    boolean stepBack(Worker worker) {
        synchronized (resting) {
            if (counted.get() <= slots) {
                return false;
            }
            counted.decrementAndGet();
            resting.addLast(worker);
            return true;
        }
    }

    /** It has rested for long, and ends, unless somebody is waking it just now. */
    boolean leave(Worker worker) {
        synchronized (resting) {
            return resting.remove(worker);
        }
    }

    /** The task of one waits. */
    void blocked() {
        counted.decrementAndGet();
    }

    /** The task of one goes on. */
    void unblocked() {
        counted.incrementAndGet();
    }

    /** Its thread was given up. */
    void abandoned(Worker worker, boolean waited) {
        if (!waited) {
            counted.decrementAndGet();
        }
        workers.remove(worker);
    }

    /** Its thread ends. */
    void gone(Worker worker, boolean counts) {
        workers.remove(worker);
        synchronized (resting) {
            resting.remove(worker);
            resting.notifyAll();
        }
        if (counts) {
            counted.decrementAndGet();
        }
    }

    // ---- closing --------------------------------------------------------------------------------------------------

    boolean isClosed() {
        return closed;
    }

    /** Nobody starts or takes any more. */
    void close() {
        closed = true;
        workers.forEach(Worker::wakeUp);
    }

    /** Waits for all threads to end, but the calling one. An interrupt ends the waiting; the flag is set again. */
    void awaitEnd(long nanos) {
        long end = System.nanoTime() + nanos;
        synchronized (resting) {
            while (workers.stream().anyMatch(worker -> worker != Thread.currentThread())) {
                long left = end - System.nanoTime();
                if (left <= 0) {
                    return;
                }
                try {
                    TimeUnit.NANOSECONDS.timedWait(resting, left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    return;
                }
            }
        }
    }
}
