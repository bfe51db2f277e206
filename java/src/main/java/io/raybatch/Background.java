package io.raybatch;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** Work of raybatch's own that may take its time or run a user's code: daemon threads, none while there is nothing to do. */
final class Background {

    private static final AtomicInteger COUNT = new AtomicInteger();

    private static final ExecutorService THREADS = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(null, task, "raybatch-" + COUNT.incrementAndGet(), 0, false);
        thread.setDaemon(true);
        // the thread that happens to be first must not lend its class loader to all later work
        thread.setContextClassLoader(Background.class.getClassLoader());
        return thread;
    });

    private Background() {}

    static void run(Runnable task) {
        THREADS.execute(() -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                RayLog.warn("work in the background failed", e);
            }
        });
    }
}
