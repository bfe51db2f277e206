package io.raybatch;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/**
 * Events of a store, in the order in which they happened. They wait in the store until they are taken, so take them.
 * Safe for many threads, each event going to one of them.
 */
public final class Subscription implements AutoCloseable {

    private static final int AT_ONCE = 64;

    private final long client;
    private final long handle;
    private final Signal signal;
    private final Cleaner.Cleanable unsubscribe;
    /** Taken from the native side, and not given to anybody yet. */
    private final Queue<ObjectEvent> taken = new ConcurrentLinkedQueue<>();

    private Subscription(long client, long handle, Signal signal, long token) {
        this.client = client;
        this.handle = handle;
        this.signal = signal;
        this.unsubscribe = Cleaners.register(this, new Unsubscribe(client, handle, token, signal));
    }

    static Subscription open(long client) {
        Signal signal = new Signal();
        long token = Wakeups.register(signal);
        try {
            return new Subscription(client, Native.subscribe(client, token), signal, token);
        } catch (RayException e) {
            Wakeups.forget(token);
            throw e;
        }
    }

    /** Who is to be told that events wait. Does not refer to the subscription. */
    private static final class Signal implements Runnable {

        private final Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();

        @Override
        public void run() {
            waiting.forEach(Runnable::run);
        }
    }

    private record Unsubscribe(long client, long handle, long token, Signal signal) implements Runnable {
        @Override
        public void run() {
            Wakeups.forget(token);
            try {
                Native.unsubscribe(client, handle);
            } catch (RayClosedException overWithTheClient) {
                // nothing is left to end
            }
            signal.run();
        }
    }

    /**
     * Takes the next event, and waits for it.
     *
     * @return the event
     * @throws RayClosedException when the subscription is over
     * @throws RayInterruptedException when the thread is interrupted
     */
    public ObjectEvent take() {
        return next(Deadline.NEVER).orElseThrow(
                () -> new RayClosedException("the subscription is over", ErrorDetails.NONE));
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

    /** Fetches what waits on the native side; false when there will be no more. */
    private synchronized boolean fetch() {
        long[] figures;
        try {
            figures = Native.poll(client, handle, AT_ONCE);
        } catch (RayClosedException over) {
            return false;
        }
        if (figures == null) {
            return false;
        }
        for (int at = 0; at < figures.length; at += ObjectEvent.FIGURES) {
            taken.add(ObjectEvent.of(figures, at));
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
                Background.run(this::submit);
            }
        }

        private void submit() {
            try {
                executor.execute(this::drain);
            } catch (RuntimeException | Error e) {
                RayLog.warn("a listener's executor takes no more tasks: its subscription is closed", e);
                subscription.close();
            }
        }

        private void drain() {
            int seen = woken.get();
            do {
                boolean more;
                do {
                    more = subscription.fetch();
                    int n = 0;
                    for (ObjectEvent e = subscription.taken.poll(); e != null; e = subscription.taken.poll()) {
                        tell(e);
                        n++;
                    }
                    more &= n > 0;
                } while (more);
                seen = woken.addAndGet(-seen);
            } while (seen != 0);
        }

        private void tell(ObjectEvent event) {
            try {
                listener.accept(event);
            } catch (RuntimeException | Error e) {
                // one that ended the loop would leave all later events untold
                RayLog.warn("a listener failed on " + event, e);
            }
        }
    }

    /** Ends it; whoever waits is told. Idempotent. A subscription that is unreachable, and has no listener, ends, too. */
    @Override
    public void close() {
        unsubscribe.clean();
    }
}
