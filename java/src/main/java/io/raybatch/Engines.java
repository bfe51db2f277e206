package io.raybatch;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Whose engine runs a store's tasks: that of the client that owns it, started when the first task needs it. */
final class Engines {

    private static final ConcurrentMap<String, Engines> OF_STORES = new ConcurrentHashMap<>();

    private final RayApi owner;
    private volatile Engine engine;
    private boolean closed;

    private Engines(RayApi owner) {
        this.owner = owner;
    }

    /** An owner has opened its store. */
    static void opened(RayApi owner) {
        OF_STORES.put(owner.storeName(), new Engines(owner));
    }

    /** {@return the number of the store of that name: no other one of this process has it; 0 if there is none} */
    static long identityOf(String storeName) {
        Engines store = OF_STORES.get(storeName);
        return store == null ? 0 : store.owner.storeIdentity();
    }

    /** {@return how a message names the store of that number} */
    static String nameOf(long identity) {
        for (Engines store : OF_STORES.values()) {
            if (store.owner.storeIdentity() == identity) {
                return "the store " + store.owner.storeName();
            }
        }
        return "a store that is closed, or of another process";
    }

    /** {@return the engine of the client's store} */
    static Engine of(RayApi ray) {
        Engines store = OF_STORES.get(ray.storeName());
        if (store == null) {
            throw new RayClosedException("the store " + ray.storeName() + " is closed: it runs no tasks", ErrorDetails.NONE);
        }
        return store.started();
    }

    /** {@return that engine; null if there was no task yet} */
    static Engine ifStarted(RayApi ray) {
        Engines store = OF_STORES.get(ray.storeName());
        return store == null ? null : store.engine;
    }

    private Engine started() {
        Engine running = engine;
        return running != null ? running : start();
    }

    private synchronized Engine start() {
        if (closed) {
            throw new RayClosedException("the store " + owner.storeName() + " is closed: it runs no tasks", ErrorDetails.NONE);
        }
        if (engine == null) {
            engine = new EmbeddedEngine(owner);
        }
        return engine;
    }

    /** An owner is about to close its store. */
    static void closing(RayApi owner) {
        Engines store = OF_STORES.remove(owner.storeName());
        if (store != null) {
            store.close();
        }
    }

    private void close() {
        Engine running;
        synchronized (this) {
            closed = true;
            running = engine;
        }
        if (running != null) {
            running.close();
        }
    }
}
