package io.raybatch;

import java.lang.ref.Cleaner;
import java.util.Set;

/**
 * What is known of a client when nobody can reach it any more and it was not closed: that is reported, and the client is closed. Must not
 * refer to the client. Its engine is unreachable as well then, so no task runs.
 */
final class Unclosed implements Runnable {

    private final long client;
    private final String storeName;
    private final Flight flight;
    private final Set<Cleaner.Cleanable> threads;
    private final String thread = Caller.name();
    /** Where it was opened; null below {@link LeakLevel#ADVANCED}. */
    private final Throwable opened;
    private volatile boolean closed;
    private Cleaner.Cleanable cleanable;

    private Unclosed(long client, String storeName, Flight flight, Set<Cleaner.Cleanable> threads, LeakLevel level) {
        this.client = client;
        this.storeName = storeName;
        this.flight = flight;
        this.threads = threads;
        this.opened = level.compareTo(LeakLevel.ADVANCED) >= 0 ? new Throwable("opened here, by " + thread) : null;
    }

    /** Once, before the client is given to anybody. */
    static Unclosed watch(RayApi ray, long client, Flight flight) {
        Unclosed unclosed = new Unclosed(client, ray.storeName(), flight, ray.current().watched(), ray.config().leakDetection());
        unclosed.cleanable = Cleaners.register(ray, unclosed);
        return unclosed;
    }

    /** It is being closed. */
    void closed() {
        closed = true;
        cleanable.clean();
    }

    /** On the Cleaner's thread, or the one that closes it. */
    @Override
    public void run() {
        if (!closed) {
            Background.own(this::close);
        }
    }

    private void close() {
        RayLog.error("a RayApi of the store " + storeName + ", opened by thread " + thread
                + ", was never closed and cannot be reached any more: it is closed now; use try-with-resources, or close it where it is"
                + (opened == null ? " (-Draybatch.leakDetection=advanced tells where it was opened)" : ""), opened);
        if (flight != null) {
            Engines.unreachable(storeName);
        }
        new Steps()
                .run(() -> threads.forEach(Cleaner.Cleanable::clean))
                .run(() -> Native.close(client, "leak detection"))
                .run(() -> {
                    if (flight != null) {
                        flight.close();
                    }
                })
                .run(Background::closed)
                .end();
    }
}
