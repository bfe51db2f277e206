package io.raybatch;

import java.lang.ref.WeakReference;
import java.util.Objects;

/**
 * A function with what it is called with, as it waits for its turn, or for being needed again.
 *
 * <p>It must not keep batches reachable for as long as it stands, lest none of them ever be taken for leaked: references
 * and handles among the arguments stand as ids, and what keeps their batches reachable until the task has run is apart.
 */
final class StoredCall {

    /** An argument that is a reference. */
    record Argument(long batch, long task, int index) {

        ObjectId id() {
            return new ObjectId(batch, task, index);
        }
    }

    /** An argument that is an actor's handle. */
    record Actor(RayApi ray, WeakReference<BatchScope> owner, int number, String name) {

        ActorHandle<?> handle() {
            return new ActorHandle<>(ray, owner.get(), number, name);
        }
    }

    /** An argument that was a reference: what its object held. */
    record Copy(int kind, Object array, ObjectId id) {}

    /** An argument that is a list of references: an {@link Argument} or a {@link Copy} for each; not to be written to. */
    record ListOf(Object[] elements) {}

    private final Object function;
    private final Object[] arguments;
    private final String name;
    private final int returns;
    /** Batches of others whose objects are arguments; null once it has run. */
    private volatile Object held;

    /** @param held what is to stay reachable until it has run, or null */
    StoredCall(Object function, Object[] arguments, String name, int returns, Object held) {
        this.function = function;
        this.arguments = arguments;
        this.name = name;
        this.returns = returns;
        this.held = held;
    }

    Object function() {
        return function;
    }

    /**
     * Values, an {@link Argument} or a {@link Copy} for each reference, a {@link ListOf} for each list of those, an {@link Actor} for each
     * handle; not to be written to. */
    Object[] arguments() {
        return arguments;
    }

    /** How many results its value is taken apart into, or {@link Engine#AS_IT_IS}. */
    int returns() {
        return returns;
    }

    /** The same with the bytes of its references' objects, for when those are gone. */
    StoredCall withCopies(RayApi ray) {
        return new StoredCall(function, copies(ray, arguments), name, returns, null);
    }

    private static Object[] copies(RayApi ray, Object[] all) {
        Object[] copies = all.clone();
        for (int n = 0; n < copies.length; n++) {
            if (copies[n] instanceof Argument ref) {
                Object[] out = new Object[1];
                int kind = Native.get(ray.client(), ref.batch, ref.task, ref.index, out);
                copies[n] = kind < 0 ? ref : new Copy(kind, out[0], ref.id());
            } else if (copies[n] instanceof ListOf list) {
                copies[n] = new ListOf(copies(ray, list.elements));
            }
        }
        return copies;
    }

    /** It has run. */
    void release() {
        if (held != null) {
            held = null;
        }
    }

    /** How many results the value of an entry of {@link Functions} is taken apart into, or {@link Engine#AS_IT_IS}. */
    static int returnsOf(Object entry) {
        return entry instanceof StoredCall call ? call.returns : Engine.AS_IT_IS;
    }

    /** The name of what an entry of {@link Functions} runs. */
    static String nameOf(Object entry) {
        if (entry instanceof StoredCall call) {
            return Objects.requireNonNullElseGet(call.name, () -> FunctionNames.of(call.function));
        }
        return entry == null ? "unknown" : FunctionNames.of(entry);
    }
}
