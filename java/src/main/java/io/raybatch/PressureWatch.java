package io.raybatch;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Polls a store's memory every few milliseconds while there are listeners, and notifies them of changes of level: on one thread of its
 * own, with no lock held, so that a listener may do what it likes. Puts pay nothing for that.
 */
final class PressureWatch {

    static final String THREAD = "raybatch-pressure";

    private static final long EACH_NANOS = 5_000_000;

    private final RayApi ray;

    /** Guarded by this when it changes. */
    private final List<Listening> listeners = new CopyOnWriteArrayList<>();
    /** The thread that polls; null when there is none. Guarded by this. */
    private Thread poller;

    PressureWatch(RayApi ray) {
        this.ray = ray;
    }

    /** One listener, and the level it was notified of last. */
    private static final class Listening {
        private final Consumer<Pressure> listener;
        private Pressure.Level level = Pressure.Level.NORMAL;

        Listening(Consumer<Pressure> listener) {
            this.listener = listener;
        }

        void look(long used, long capacity) {
            Pressure.Level next = level.next(used, capacity);
            if (next != level) {
                level = next;
                Upcalls.call("a listener to pressure", listener, new Pressure(next, used, capacity));
            }
        }
    }

    /** Adds a listener; closing what is returned removes it. */
    AutoCloseable add(Consumer<Pressure> listener) {
        Listening one = new Listening(listener);
        synchronized (this) {
            listeners.add(one);
            if (poller == null) {
                start(one);
            }
        }
        return () -> remove(one);
    }

    private void start(Listening first) {
        boolean started = false;
        try {
            Thread thread = Threads.daemon(THREAD, this::watch);
            thread.start();
            poller = thread;
            started = true;
        } finally {
            if (!started) {
                listeners.remove(first);
            }
        }
    }

    /** The client is closed: nobody listens any more. */
    synchronized void close() {
        listeners.clear();
        LockSupport.unpark(poller);
    }

    private synchronized void remove(Listening one) {
        listeners.remove(one);
        if (listeners.isEmpty()) {
            // it ends now, unless another listener comes first
            LockSupport.unpark(poller);
        }
    }

    /** False when there are no listeners, or the client is closed: the thread ends, and the next listener starts another. */
    private synchronized boolean goesOn(boolean open) {
        if (open && !listeners.isEmpty()) {
            return true;
        }
        poller = null;
        return false;
    }

    private void watch() {
        boolean open = true;
        while (goesOn(open)) {
            open = poll();
            if (open) {
                LockSupport.parkNanos(EACH_NANOS);
            }
        }
    }

    /** False when the client is closed. */
    private boolean poll() {
        try {
            long[] figures = Native.used(ray.client());
            listeners.forEach(one -> one.look(figures[0], figures[1]));
        } catch (RayClosedException closed) {
            return false;
        } catch (Throwable thrown) {
            Upcalls.failed("a look at a store's memory", thrown);
        }
        return true;
    }
}
