package io.raybatch;

import java.util.function.Consumer;

/** Calls users' code that listens: whatever it throws is logged, and stops nobody else. */
final class Upcalls {

    private static final LimitedLog FAILURES = new LimitedLog();

    private Upcalls() {}

    /**
     * Calls a listener.
     *
     * @param who as the log names it, such as "a listener to pressure"
     */
    static <T> void call(String who, Consumer<? super T> listener, T event) {
        try {
            listener.accept(event);
        } catch (Throwable thrown) {
            failed(who, thrown);
        }
    }

    /** An {@code Error} as well as what a listener throws unchecked by the compiler; logging may fail in turn. */
    static void failed(String who, Throwable thrown) {
        try {
            FAILURES.warn(() -> who + " failed", thrown);
        } catch (Throwable noLog) {
            // there is nobody left to tell
        }
    }
}
