package io.raybatch;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;

/**
 * Events of a store, in the order in which they happened. They wait in the store until they are taken, as many as its queue holds:
 * {@link #QUEUE} unless another number is given. When one more comes, the oldest that waits is dropped, and the next event taken is an
 * {@link ObjectEvent.Type#LAGGED} with the number of those that were. The objects that exist when it begins wait there, too.
 *
 * <p>It ends when it is closed, with its client, and with its store. Safe for many threads, each event going to one of them.
 */
public final class Subscription implements AutoCloseable {

    /** Events that may wait unless another number is given: 65,536, which are {@code QUEUE * EVENT_BYTES} = 3 MiB of native memory. */
    public static final int QUEUE = 1 << 16;

    /** Bytes of native memory that an event takes while it waits. */
    public static final int EVENT_BYTES = 48;

    private static final int AT_ONCE = 64;

    private final String store;
    private final long client;
    private final long handle;
    private final Ending ending;
    private final Signal signal;
    private final Cleaner.Cleanable unsubscribe;
    /** Taken from the native side, and not given to anybody yet. */
    private final Queue<ObjectEvent> taken = new ConcurrentLinkedQueue<>();
    /** Events dropped in all, when it was last asked for; and those of which events told. */
    private volatile long droppedInAll;
    private volatile long droppedTold;

    Subscription(Ending ending, String store) {
        this.store = store;
        this.client = ending.client;
        this.handle = ending.handle;
        this.ending = ending;
        this.signal = ending.signal;
        this.unsubscribe = Cleaners.register(this, ending);
    }

    /** What is run when events wait. Does not refer to the subscription. */
    static final class Signal implements Runnable {

        private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();

        @Override
        public void run() {
            waiting.forEach(Runnable::run);
        }
    }

    /** Ends a subscription, by whichever comes first: its close, its client's, or that it is unreachable. Idempotent. */
    static final class Ending implements Runnable {

        private final long client;
        private final long handle;
        private final long token;
        private final Signal signal;
        private final Set<Ending> open;
        private volatile boolean over;

        Ending(long client, long handle, long token, Signal signal, Set<Ending> open) {
            this.client = client;
            this.handle = handle;
            this.token = token;
            this.signal = signal;
            this.open = open;
        }

        @Override
        public void run() {
            if (over) {
                return;
            }
            over = true;
            open.remove(this);
            Wakeups.forget(token);
            try {
                Native.unsubscribe(client, handle);
            } catch (RayClosedException overWithTheClient) {
                // nothing is left to end
            } finally {
                // those that wait find that it is over; a listener is not referred to any more
                signal.run();
                signal.waiting.clear();
            }
        }
    }

    /**
     * Takes the next event, and waits for it.
     *
     * @return the event
     * @throws RayClosedException when the subscription is over: it was closed, or its client or store was; also while waiting
     * @throws RayInterruptedException when the thread is interrupted
     */
    public ObjectEvent take() {
        return next(Deadline.NEVER).orElseThrow(
                () -> new RayClosedException(
                        "the subscription is over: it, its client or the store " + store + " was closed", ErrorDetails.NONE));
    }

    /**
     * Takes the next event, and waits for it no longer than given.
     *
     * @param timeout 0 to only look
     * @return the event; empty when the time has passed, or the subscription is over
     * @throws RayInterruptedException when the thread is interrupted
     */
    public Optional<ObjectEvent> poll(Duration timeout) {
        return next(Deadline.in(timeout));
    }

    private Optional<ObjectEvent> next(Deadline deadline) {
        Waiter waiter = new Waiter();
        signal.waiting.add(waiter);
        try {
            do {
                ObjectEvent event = taken.poll();
                if (event != null) {
                    return Optional.of(event);
                }
                if (!fetch()) {
                    return Optional.ofNullable(taken.poll());
                }
                event = taken.poll();
                if (event != null) {
                    // others may have looked before there was more
                    signal.run();
                    return Optional.of(event);
                }
            } while (waiter.await(deadline));
            return Optional.ofNullable(taken.poll());
        } finally {
            signal.waiting.remove(waiter);
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Tells how many events wait to be taken.
     *
     * @return 0 … its queue's capacity and a few more; 0 when it is over
     */
    public int lag() {
        return (int) figures()[0] + taken.size();
    }

    /**
     * Tells how many events were dropped because too many waited.
     *
     * @return since it began
     */
    public long dropped() {
        return figures()[1];
    }

    /** What waits on the native side, and what was dropped. */
    private long[] figures() {
        try {
            long[] figures = Native.lag(client, handle);
            droppedInAll = figures[1];
            return figures;
        } catch (RayClosedException over) {
            return new long[] {0, Math.max(droppedInAll, droppedTold)};
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Fetches what waits on the native side; false when there will be no more. */
    private synchronized boolean fetch() {
        if (ending.over) {
            return false;
        }
        long[] figures;
        try {
            figures = Native.poll(client, handle, AT_ONCE);
        } catch (RayClosedException over) {
            figures = null;
        }
        if (figures == null) {
            ending.run();
            return false;
        }
        for (int at = 0; at < figures.length; at += ObjectEvent.FIGURES) {
            ObjectEvent event = ObjectEvent.of(figures, at);
            if (event.type() == ObjectEvent.Type.LAGGED) {
                droppedTold += event.size();
            }
            taken.add(event);
        }
        return true;
    }

    /** Has every event given to a listener; once. */
    void dispatch(Executor executor, Consumer<ObjectEvent> listener) {
        Dispatcher dispatcher = new Dispatcher(this, executor, listener);
        signal.waiting.add(dispatcher);
        dispatcher.run();
    }

    /** Gives events to a listener, by one task of the executor's at a time. */
    private static final class Dispatcher implements Runnable {

        private static final long RETRY_NANOS = 100_000_000;

        private final Subscription subscription;
        private final Executor executor;
        private final Consumer<ObjectEvent> listener;
        /** How often it was woken since the running task last looked; more than 0 while there is a task. */
        private final AtomicInteger woken = new AtomicInteger();

        Dispatcher(Subscription subscription, Executor executor, Consumer<ObjectEvent> listener) {
            this.subscription = subscription;
            this.executor = executor;
            this.listener = listener;
        }

        /** Called by the native side, which must not wait for an executor: that may run tasks in its caller. */
        @Override
        public void run() {
            if (woken.getAndIncrement() == 0) {
                try {
                    Background.run(this::submit);
                } catch (Throwable noThread) {
                    woken.set(0);
                    Upcalls.failed("submitting events of a store to their listener", noThread);
                }
            }
        }

        private void submit() {
            try {
                executor.execute(this::drain);
            } catch (Throwable refused) {
                Upcalls.failed("the executor of a listener, whose subscription is closed: it", refused);
                subscription.close();
            }
        }

        private void drain() {
            int seen = woken.get();
            do {
                while (passOn()) {
                    // there may be more
                }
                seen = woken.addAndGet(-seen);
            } while (seen != 0);
        }

        /** True if there was something. */
        private boolean passOn() {
            boolean more;
            try {
                more = subscription.fetch();
            } catch (Throwable thrown) {
                // nothing wakes this again before those events are taken
                Upcalls.failed("taking events of a store for their listener", thrown);
                LockSupport.parkNanos(RETRY_NANOS);
                return true;
            }
            int n = 0;
            for (ObjectEvent e = subscription.taken.poll(); e != null; e = subscription.taken.poll()) {
                Upcalls.call("a listener to a store's events", listener, e);
                n++;
            }
            return more && n > 0;
        }
    }

    /** Ends it; threads that wait for an event return. Idempotent. A subscription that is unreachable, and has no listener, ends, too. */
    @Override
    public void close() {
        unsubscribe.clean();
    }
}
