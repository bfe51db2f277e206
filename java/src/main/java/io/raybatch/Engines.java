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

    /** Has all engines release what they keep reachable for tasks that are over. */
    static void releaseIdle() {
        for (Engines store : OF_STORES.values()) {
            Engine running = store.engine;
            if (running != null) {
                running.releaseIdle();
            }
        }
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
