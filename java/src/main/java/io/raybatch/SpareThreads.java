package io.raybatch;

import java.util.concurrent.CountDownLatch;

/**
 * Threads that do nothing, so that there is a number to spare: they end when the system has no thread for a task. The JVM itself needs
 * one to end at a SIGTERM, and would not heed that in a process which is at its limit. No task has a thread before these are there.
 */
final class SpareThreads {

    /** One that handles the signal, and one that a shutdown hook may need. */
    private static final int COUNT = 2;

    /** Those that there are wait for it; null while there are none. Guarded by the class. */
    private static CountDownLatch end;

    private SpareThreads() {}

    /** Starts them, if they are not there. */
    static synchronized void ensure() {
        if (end != null) {
            return;
        }
        CountDownLatch latch = new CountDownLatch(1);
        end = latch;
        for (int n = 0; n < COUNT; n++) {
            // where this fails, those that were started end with release()
            Threads.daemon("raybatch-spare", () -> await(latch)).start();
        }
    }

    /** Ends them. */
    static synchronized void release() {
        if (end != null) {
            end.countDown();
            end = null;
        }
    }

    private static void await(CountDownLatch latch) {
        while (true) {
            try {
                latch.await();
                return;
            } catch (InterruptedException notMeant) {
                // nobody has this thread to interrupt it
            }
        }
    }
}
