package io.raybatch;

import java.lang.ref.Cleaner;
import java.nio.ByteBuffer;

/** What is given back when its holder is unreachable. One thread does it, so that actions never wait. */
final class Cleaners {

    private static final Cleaner SHARED = Cleaner.create();

    private Cleaners() {}

    /** Runs {@code action}, which must not refer to {@code holder}, once that is unreachable, or when it is told to. */
    static Cleaner.Cleanable register(Object holder, Runnable action) {
        return SHARED.register(holder, action);
    }

    /**
     * Gives back the hold of a buffer that the native side made once it is unreachable. Buffers derived from it refer
     * to it, so it must be this one that is watched, and never one derived from it.
     */
    static ByteBuffer releaseWithBuffer(ByteBuffer original, long hold) {
        SHARED.register(original, () -> Native.releaseHold(hold));
        return original;
    }
}
