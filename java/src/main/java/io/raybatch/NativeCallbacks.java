package io.raybatch;

/** What the native side calls. Both return at once, take no lock of the caller's, and throw nothing. */
final class NativeCallbacks {

    private NativeCallbacks() {}

    /** Wakes the waiter or subscription registered under {@code token}; an unknown token is ignored. */
    static void wake(long token) {
        Wakeups.wake(token);
    }

    /** One log record of the native side; level 1 error … 5 trace. Called from the native log thread only. */
    static void log(int level, String target, String message) {
        RayLog.fromNative(level, target, message);
    }

    /**
     * Makes the exception for an error of the native side.
     *
     * @param code as error.rs numbers them
     * @param batch the batch concerned, or 0
     * @param objectId 20 bytes, or null
     * @param facts figures belonging to the code: for a full store {@code {needed, free, largestRun}}
     */
    static RuntimeException error(int code, String message, long batch, byte[] objectId, long[] facts) {
        return RayException.of(code, message, batch, objectId, facts);
    }
}
