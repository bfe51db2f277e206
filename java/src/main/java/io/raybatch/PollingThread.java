package io.raybatch;

/** Daemon threads that look at something every few milliseconds for as long as that is wanted: not work for {@link Background}. */
final class PollingThread {

    private PollingThread() {}

    /**
     * Starts one.
     *
     * @throws OutOfMemoryError when the process can have no further thread
     */
    static Thread start(String name, Runnable polling) {
        Thread thread = new Thread(null, polling, name, 0, false);
        thread.setDaemon(true);
        // whoever happens to start it must not lend it a class loader
        thread.setContextClassLoader(PollingThread.class.getClassLoader());
        thread.start();
        return thread;
    }
}
