package io.raybatch.examples;

import java.util.concurrent.atomic.AtomicLong;

/** Where a {@link RayJobScheduler} gets job ids. Safe for many threads. */
public final class JobSchedulerContext {

    private final AtomicLong nextJobId;

    /**
     * Counts job ids up.
     *
     * @param firstJobId positive
     */
    public JobSchedulerContext(long firstJobId) {
        nextJobId = new AtomicLong(firstJobId);
    }

    /** {@return an id that no job of this context had} */
    public long nextJobId() {
        return nextJobId.getAndIncrement();
    }
}
