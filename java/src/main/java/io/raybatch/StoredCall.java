package io.raybatch;

import java.util.Objects;

/**
 * A function with what it is called with, as it waits for its turn, or for being needed again.
 *
 * <p>It must not keep batches reachable for as long as it stands, lest none of them ever be taken for leaked: references
 * among the arguments stand as ids, and what keeps their batches reachable until the task has run is apart.
 */
final class StoredCall {

    /** An argument that is a reference. */
    record Argument(long batch, long task, int index) {

        ObjectId id() {
            return new ObjectId(batch, task, index);
        }
    }

    private final Object function;
    private final Object[] arguments;
    private final String name;
    /** Batches of others whose objects are arguments; null once it has run. */
    private volatile Object held;

    /** @param held what is to stay reachable until it has run, or null */
    StoredCall(Object function, Object[] arguments, String name, Object held) {
        this.function = function;
        this.arguments = arguments;
        this.name = name;
        this.held = held;
    }

    Object function() {
        return function;
    }

    /** Values, and an {@link Argument} for each reference; not to be written to. */
    Object[] arguments() {
        return arguments;
    }

    /** It has run. */
    void release() {
        if (held != null) {
            held = null;
        }
    }

    /** The name of what an entry of {@link Functions} runs. */
    static String nameOf(Object entry) {
        if (entry instanceof StoredCall call) {
            return Objects.requireNonNullElseGet(call.name, () -> FunctionNames.of(call.function));
        }
        return entry == null ? "unknown" : FunctionNames.of(entry);
    }
}
