package io.raybatch;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Looks at a store's memory every few milliseconds, while anybody wants to be told of it, and tells of changes: in a thread of
 * its own, with no lock held, so that a listener may do what it likes. Puts pay nothing for that.
 */
final class PressureWatch {

    private static final long EACH_NANOS = 5_000_000;

    private final RayApi ray;

    /** Guarded by this when it changes. */
    private final List<Listening> listeners = new CopyOnWriteArrayList<>();

    PressureWatch(RayApi ray) {
        this.ray = ray;
    }

    /** One listener, and what it was told last. */
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
                try {
                    listener.accept(new Pressure(next, used, capacity));
                } catch (RuntimeException e) {
                    RayLog.warn("a listener to pressure failed", e);
                }
            }
        }
    }

    /** Adds a listener; what is returned takes it out. */
    AutoCloseable add(Consumer<Pressure> listener) {
        Listening one = new Listening(listener);
        synchronized (this) {
            listeners.add(one);
            if (listeners.size() == 1) {
                Background.loop("raybatch-pressure", this::watch);
            }
        }
        return () -> remove(one);
    }

    private synchronized void remove(Listening one) {
        listeners.remove(one);
    }

    /** False when nobody listens: whoever comes next starts another thread. */
    private synchronized boolean isWanted() {
        return !listeners.isEmpty();
    }

    private void watch() {
        while (isWanted()) {
            long[] figures;
            try {
                figures = Native.used(ray.client());
            } catch (RayClosedException over) {
                return;
            }
            listeners.forEach(one -> one.look(figures[0], figures[1]));
            LockSupport.parkNanos(EACH_NANOS);
        }
    }
}
