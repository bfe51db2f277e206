package io.raybatch;

import java.lang.ref.Cleaner;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * What is given back when its holder is unreachable. One thread does it, so that actions never wait. Unlike that of a
 * {@link Cleaner} it ends soon after the last holder: a thread that goes on keeps the class loader of what it runs reachable.
 */
final class Cleaners {

    /** How long the thread goes on while nobody holds anything. */
    private static final long LINGER_MILLIS = 1_000;

    private static final ReferenceQueue<Object> UNREACHABLE = new ReferenceQueue<>();

    /** Guards the list of holds, and {@link #running}. */
    private static final Object LOCK = new Object();

    /** The newest of the holds that were not given back; they refer to each other, and nothing else to them. */
    private static Hold newest;

    private static boolean running;

    private Cleaners() {}

    /** Runs {@code action}, which must not refer to {@code holder}, once that is unreachable, or when it is told to. */
    static Cleaner.Cleanable register(Object holder, Runnable action) {
        Hold hold;
        synchronized (LOCK) {
            hold = new Hold(holder, action);
            hold.older = newest;
            if (newest != null) {
                newest.newer = hold;
            }
            newest = hold;
            if (!running) {
                start();
            }
        }
        // it is in the list before the holder can be unreachable
        Reference.reachabilityFence(holder);
        return hold;
    }

    /** For tests: false once the thread has ended. */
    static boolean isRunning() {
        synchronized (LOCK) {
            return running;
        }
    }

    /** For tests: the classes of what is to be done for the holders that are reachable still. */
    static List<String> pending() {
        synchronized (LOCK) {
            List<String> all = new ArrayList<>();
            for (Hold hold = newest; hold != null; hold = hold.older) {
                all.add(hold.action.getClass().getName());
            }
            return all;
        }
    }

    /** With the lock held. Where there is no thread, the next hold tries again. */
    private static void start() {
        try {
            Threads.daemon("raybatch-cleaner", Cleaners::run).start();
            running = true;
        } catch (OutOfMemoryError noThread) {
            RayLog.error("no thread that gives back what is unreachable: that waits for one", noThread);
        }
    }

    private static void run() {
        while (true) {
            try {
                Hold hold = (Hold) UNREACHABLE.remove(LINGER_MILLIS);
                if (hold != null) {
                    hold.clean();
                } else if (isOver()) {
                    return;
                }
            } catch (InterruptedException notMeant) {
                // nobody has this thread to interrupt it
            } catch (RuntimeException | Error e) {
                RayLog.error("what was unreachable could not be given back", e);
            }
        }
    }

    private static boolean isOver() {
        synchronized (LOCK) {
            running = newest != null;
            return !running;
        }
    }

    /** Something held, in the list until it is given back. */
    private static final class Hold extends PhantomReference<Object> implements Cleaner.Cleanable {

        private final Runnable action;
        /** True while it is in the list. Guarded, as the neighbours are, by the lock. */
        private boolean held = true;
        private Hold newer;
        private Hold older;

        Hold(Object holder, Runnable action) {
            super(holder, UNREACHABLE);
            this.action = action;
        }

        @Override
        public void clean() {
            if (remove()) {
                clear();
                action.run();
            }
        }

        private boolean remove() {
            synchronized (LOCK) {
                if (!held) {
                    return false;
                }
                held = false;
                if (newer == null) {
                    newest = older;
                } else {
                    newer.older = older;
                }
                if (older != null) {
                    older.newer = newer;
                }
                newer = null;
                older = null;
                return true;
            }
        }
    }

    /**
     * Gives back the hold of a buffer that the native side made once it is unreachable. Buffers derived from it refer
     * to it, so it must be this one that is watched, and never one derived from it.
     */
    static ByteBuffer releaseWithBuffer(ByteBuffer original, long hold) {
        register(original, () -> Native.releaseHold(hold));
        return original;
    }
}
