package io.raybatch;

import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * Log records of one kind that each request may cause: at most one line in ten seconds, which says how many there were that are not
 * logged. Safe for many threads.
 */
final class LimitedLog {

    private static final long EACH_NANOS = 10_000_000_000L;

    /** When the last line was logged, by {@link System#nanoTime}; {@link Long#MIN_VALUE} before the first. */
    private final AtomicLong last = new AtomicLong(Long.MIN_VALUE);
    private final AtomicLong unlogged = new AtomicLong();

    void warn(Supplier<String> message, Throwable thrown) {
        log(RayLog::warn, message, thrown);
    }

    void error(Supplier<String> message, Throwable thrown) {
        log(RayLog::error, message, thrown);
    }

    private void log(BiConsumer<String, Throwable> level, Supplier<String> message, Throwable thrown) {
        long more = admit(System.nanoTime());
        if (more >= 0) {
            String rest = more == 0 ? "" : "; " + more + " of the kind since the last line were not logged";
            level.accept(message.get() + rest, thrown);
        }
    }

    /** How many were not logged since the last line, if there may be a line now; -1 if there may be none. */
    long admit(long now) {
        long before = last.get();
        boolean free = before == Long.MIN_VALUE || now - before >= EACH_NANOS;
        if (free && last.compareAndSet(before, now)) {
            return unlogged.getAndSet(0);
        }
        unlogged.incrementAndGet();
        return -1;
    }
}
