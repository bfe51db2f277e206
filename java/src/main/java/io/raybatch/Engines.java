package io.raybatch;

import java.lang.ref.WeakReference;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Whose engine runs a store's tasks: that of the client that owns it, started when the first task needs it. */
final class Engines {

    /** Weak, so that an owner that nobody has closed or can reach is found: it has the one that is here. */
    private static final ConcurrentMap<String, WeakReference<Engines>> OF_STORES = new ConcurrentHashMap<>();

    private final RayApi owner;
    private volatile Engine engine;
    private boolean closed;

    private Engines(RayApi owner) {
        this.owner = owner;
    }

    /** An owner has opened its store. It holds what is returned. */
    static Engines opened(RayApi owner) {
        Engines engines = new Engines(owner);
        OF_STORES.put(owner.storeName(), new WeakReference<>(engines));
        return engines;
    }

    private static Engines ofStore(RayApi ray) {
        WeakReference<Engines> store = OF_STORES.get(ray.storeName());
        return store == null ? null : store.get();
    }

    /** {@return the number of the store of that name: no other one of this process has it; 0 if there is none} */
    static long identityOf(String storeName) {
        WeakReference<Engines> held = OF_STORES.get(storeName);
        Engines store = held == null ? null : held.get();
        return store == null ? 0 : store.owner.storeIdentity();
    }

    /** {@return how a message names the store of that number} */
    static String nameOf(long identity) {
        for (WeakReference<Engines> held : OF_STORES.values()) {
            Engines store = held.get();
            if (store != null && store.owner.storeIdentity() == identity) {
                return "the store " + store.owner.storeName();
            }
        }
        return "a store that is closed, or of another process";
    }

    /** {@return the engine of the client's store} */
    static Engine of(RayApi ray) {
        Engines store = ofStore(ray);
        if (store == null) {
            throw new RayClosedException("the store " + ray.storeName() + " is closed: it runs no tasks", ErrorDetails.NONE);
        }
        return store.started();
    }

    /** {@return that engine; null if there was no task yet} */
    static Engine ifStarted(RayApi ray) {
        Engines store = ofStore(ray);
        return store == null ? null : store.engine;
    }

    /** Has all engines release what they keep reachable for tasks that are over. */
    static void releaseIdle() {
        for (WeakReference<Engines> held : OF_STORES.values()) {
            Engines store = held.get();
            Engine running = store == null ? null : store.engine;
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

    /** The owner of a store, which nobody can reach, is about to be closed. */
    static void unreachable(String storeName) {
        OF_STORES.remove(storeName);
    }

    /** The owner is about to close its store. */
    void close() {
        OF_STORES.remove(owner.storeName());
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
