package io.raybatch;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** The subscriptions of one client, which end with it. */
final class Subscriptions {

    private static final int MOST_EVENTS = 1 << 24;

    private final RayApi ray;
    /** How each open one ends; none refers to its {@link Subscription}, which ends when it is unreachable. */
    private final Set<Subscription.Ending> open = ConcurrentHashMap.newKeySet();

    Subscriptions(RayApi ray) {
        this.ray = ray;
    }

    /** @param queue how many events may wait */
    Subscription open(int queue) {
        Checks.within("the number of events that may wait", queue, 1, MOST_EVENTS);
        Subscription.Signal signal = new Subscription.Signal();
        long token = Wakeups.register(signal);
        long handle;
        boolean subscribed = false;
        try {
            handle = Native.subscribe(ray.client(), token, queue);
            subscribed = true;
        } finally {
            if (!subscribed) {
                Wakeups.forget(token);
            }
        }
        Subscription.Ending ending = new Subscription.Ending(ray.client(), handle, token, signal, open);
        open.add(ending);
        Subscription subscription = new Subscription(ending, ray.storeName());
        if (ray.isClosed()) {
            // the close may have looked before it was added
            ending.run();
        }
        return subscription;
    }

    /** The client is closed. */
    void close() {
        open.forEach(Subscription.Ending::run);
    }
}
