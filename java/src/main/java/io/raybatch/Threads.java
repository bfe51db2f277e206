package io.raybatch;

import java.security.AccessController;
import java.security.PrivilegedAction;
import java.util.function.Supplier;

/**
 * How threads of raybatch's are made: daemons that take nothing over from the thread that happens to need the first one, neither its
 * class loader nor its access control context, either of which would keep an application reachable that is long undeployed.
 */
final class Threads {

    private Threads() {}

    /** A daemon that is yet to be started. */
    static Thread daemon(String name, Runnable run) {
        return made(() -> {
            Thread thread = new Thread(null, run, name, 0, false);
            thread.setDaemon(true);
            thread.setContextClassLoader(Threads.class.getClassLoader());
            return thread;
        });
    }

    /** What makes a thread, with the access control context of raybatch alone. */
    @SuppressWarnings("removal") // up to JDK 23 each new thread refers to the context of the one that makes it
    static <T extends Thread> T made(Supplier<T> maker) {
        return AccessController.doPrivileged((PrivilegedAction<T>) maker::get);
    }
}
