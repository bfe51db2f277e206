package io.raybatch;

import java.io.Serializable;
import java.util.concurrent.Callable;

/**
 * What stands for references and actors inside of values: what names them, and nothing of the client. Who gets such a value
 * has handles of its own client's.
 */
final class Handles {

    /** The client that reads a value, in the thread that does. */
    private static final ThreadLocal<RayApi> READER = new ThreadLocal<>();

    /** That the calling thread reads what is thrown away. */
    private static final ThreadLocal<Boolean> TRYING = new ThreadLocal<>();

    private Handles() {}

    /** Reads a value. */
    static Object read(RayApi ray, byte[] bytes) throws Exception {
        RayApi before = READER.get();
        READER.set(ray);
        try {
            return ray.config().serializer().deserialize(bytes);
        } finally {
            readsFor(before);
        }
    }

    /** Reads for a client. */
    static <T> T readingFor(RayApi ray, Callable<T> work) throws Exception {
        RayApi before = READER.get();
        READER.set(ray);
        try {
            return work.call();
        } finally {
            readsFor(before);
        }
    }

    private static void readsFor(RayApi before) {
        if (before == null) {
            READER.remove();
        } else {
            READER.set(before);
        }
    }

    /** The client that the calling thread reads for; null if it reads no value. */
    static RayApi readerOrNull() {
        return READER.get();
    }

    /** Reads what is only to show that it can be read: references in it are of no client. */
    static void trying(Callable<?> work) throws Exception {
        TRYING.set(Boolean.TRUE);
        try {
            work.call();
        } finally {
            TRYING.remove();
        }
    }

    static boolean isTrying() {
        return TRYING.get() != null;
    }

    private static RayApi reader(String what) {
        RayApi ray = READER.get();
        if (ray == null) {
            throw new IllegalStateException(what + " can be read as a part of what a RayApi gets, and nowhere else");
        }
        return ray;
    }

    /** Stands for an {@link ObjectRef}. */
    record Reference(long batch, long task, int index, long store) implements Serializable {

        ObjectRef<?> resolve() {
            if (isTrying()) {
                return ObjectRef.ofAnotherStore(null, batch, task, index, store);
            }
            RayApi ray = reader("a reference");
            return store == ray.storeIdentity()
                    ? new ObjectRef<>(ray, ray.ownerOf(batch), batch, task, index, null, false)
                    : ObjectRef.ofAnotherStore(ray, batch, task, index, store);
        }

        private Object readResolve() {
            return resolve();
        }
    }

    /** Stands for an {@link ActorHandle}. */
    record Actor(int number, String name, long owner, long store) implements Serializable {

        ActorHandle<?> resolve() {
            if (isTrying()) {
                return new ActorHandle<>(null, null, number, name, store);
            }
            RayApi ray = reader("an actor's handle");
            return new ActorHandle<>(ray, store == ray.storeIdentity() ? ray.ownerOf(owner) : null, number, name, store);
        }

        private Object readResolve() {
            return resolve();
        }
    }
}
