package io.raybatch;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/** What the native side can wake: tokens, and what is done for each. */
final class Wakeups {

    private static final AtomicLong LAST = new AtomicLong();

    /** token → what is run, at once and without taking a lock, when it is woken */
    private static final ConcurrentMap<Long, Runnable> WAITING = new ConcurrentHashMap<>();

    private Wakeups() {}

    /** {@return a token of its own for {@code wake}} */
    static long register(Runnable wake) {
        long token = token();
        WAITING.put(token, wake);
        return token;
    }

    /** {@return a number that no other token has} */
    static long token() {
        return LAST.incrementAndGet();
    }

    /** {@return how many tokens can be woken: for tests} */
    static int count() {
        return WAITING.size();
    }

    static void forget(long token) {
        WAITING.remove(token);
    }

    static void wake(long token) {
        Runnable wake = WAITING.get(token);
        if (wake != null) {
            wake.run();
        }
    }
}
