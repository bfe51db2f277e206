package io.raybatch;

/** What a thread waits for: for the table, which finds waits that can never end, and for the log. */
interface Awaited {

    /** The client that waits. */
    RayApi ray();

    /** What it waits for and why that takes so long, in words that continue "has waited for". May call the native side. */
    String describe();

    /**
     * Tells the table that a run of its store is about to wait for this.
     *
     * @return flags
     * @throws DeadlockException when that can never end
     */
    default int block(long client, int serial, long slot, int attempt) {
        return Native.blocked(client, serial, slot, attempt, true);
    }
}
