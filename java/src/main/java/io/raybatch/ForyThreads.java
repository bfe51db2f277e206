package io.raybatch;

import org.apache.fory.Fory;
import org.apache.fory.collection.MultiKeyWeakMap;

/**
 * The thread that Fory starts, once for each class loader that has Fory, and never ends: it keeps that loader reachable. Where
 * that loader is raybatch's own and can be collected, the thread is started here, in a group by which it is known, before Fory needs it,
 * and ended with the last client. Fory then has no thread that forgets the code generated for loaders that were collected; so where the
 * loader stays as long as the JVM does, or somebody else has started the thread, it is left alone.
 */
final class ForyThreads {

    /** Null before the first use. */
    private static ThreadGroup group;

    private ForyThreads() {}

    /** Before Fory is used first. */
    static synchronized void begin() {
        if (group != null || !isCollectable()) {
            return;
        }
        group = new ThreadGroup("raybatch-fory");
        Thread starter = Threads.made(() -> new Thread(group, ForyThreads::startCleaner, "raybatch-fory", 0, false));
        starter.setDaemon(true);
        starter.setContextClassLoader(null);
        starter.start();
        boolean interrupted = false;
        while (starter.isAlive()) {
            try {
                starter.join();
            } catch (InterruptedException e) {
                // it takes no time to speak of
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Its first key has Fory start the thread. */
    private static void startCleaner() {
        new MultiKeyWeakMap<Object>().put(new Object[] {ForyThreads.class}, ForyThreads.class);
    }

    /** The last client has closed. */
    static synchronized void end() {
        if (group != null) {
            group.interrupt();
        }
    }

    private static boolean isCollectable() {
        ClassLoader own = Fory.class.getClassLoader();
        if (own != ForyThreads.class.getClassLoader()) {
            return false;
        }
        for (ClassLoader lasting = ClassLoader.getSystemClassLoader(); lasting != null; lasting = lasting.getParent()) {
            if (own == lasting) {
                return false;
            }
        }
        return true;
    }
}
