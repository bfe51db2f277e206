package io.raybatch;

import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.util.Optional;

/**
 * One life of one batch. What keeps the batch from being collected as a leak refers to this: its handle, its object
 * references, the scopes of its inner batches, and the threads where it is current.
 */
final class BatchScope {

    private final RayApi ray;
    private final long id;
    private final long life;
    private final String name;
    /** The scope around it, which lives at least as long; null for the root, or when only its id is known. */
    private final BatchScope parent;
    /** Null where all goes through the native side. */
    private final MappedRegion region;
    /** Null for a batch that is held by its id. */
    private final LeakTracker tracker;
    /** Null likewise. */
    private final WeakReference<BatchScope> weak;
    /** What the engine knows of it; null until it has a task. */
    private volatile BatchWork work;

    private BatchScope(
            RayApi ray, long id, long life, String name, BatchScope parent, MappedRegion region, LeakTracker tracker) {
        this.ray = ray;
        this.id = id;
        this.life = life;
        this.name = name;
        this.parent = parent;
        this.region = region;
        this.tracker = tracker;
        this.weak = tracker == null ? null : new WeakReference<>(this);
    }

    /** For a batch that is held by its id. */
    static BatchScope heldById(
            RayApi ray, long id, long life, String name, BatchScope parent, MappedRegion region) {
        return new BatchScope(ray, id, life, name, parent, region, null);
    }

    /**
     * For a batch that ends when nobody can reach the scope.
     *
     * @param forget run when it was ended as a leak; must not refer to the scope
     */
    static BatchScope tracked(
            RayApi ray, long id, long life, String name, BatchScope parent, MappedRegion region, Runnable forget) {
        LeakTracker tracker = new LeakTracker(ray.client(), ray.config(), id, life, name, forget);
        BatchScope scope = new BatchScope(ray, id, life, name, parent, region, tracker);
        tracker.watch(scope);
        return scope;
    }

    RayApi ray() {
        return ray;
    }

    long id() {
        return id;
    }

    long life() {
        return life;
    }

    /** Null if it has none. */
    String name() {
        return name;
    }

    /** Null if its parent is the root, or not known. */
    BatchScope parent() {
        return parent;
    }

    /** Null until it has a task. */
    BatchWork work() {
        return work;
    }

    void work(BatchWork known) {
        work = known;
    }

    /**
     * Puts bytes into the batch.
     *
     * @return {@code slot << 24 | index}
     */
    long put(byte[] source, int offset, int length, int kind) {
        long slot = region == null ? MappedRegion.NOT_HERE : region.put(source, offset, length, kind);
        if (slot < 0) {
            slot = Native.put(ray.client(), id, life, source, offset, length, kind, MappedRegion.thread());
        }
        Reference.reachabilityFence(this);
        return slot;
    }

    /** Null where all goes through the native side. */
    MappedRegion region() {
        return region;
    }

    /** The one reference by which all hold this that must not keep it reachable; null for a batch that is held by its id. */
    WeakReference<BatchScope> weak() {
        return weak;
    }

    boolean isTracked() {
        return tracker != null;
    }

    /** Null for a batch that is held by its id. */
    LeakTracker tracker() {
        return tracker;
    }

    /** Where in the program it was started, where the leak level asks for that. */
    Optional<Throwable> startedAt() {
        return tracker == null ? Optional.empty() : tracker.startedAt();
    }

    /** Notes a use of the handle, where the leak level asks for it. */
    void used() {
        if (tracker != null) {
            tracker.used();
        }
    }

    /** The batch is collected, or left as it is on purpose: no leak any more. */
    void settled() {
        if (tracker != null) {
            tracker.settled();
        }
    }

    @Override
    public String toString() {
        return name == null ? "batch " + id : "batch " + id + " (" + name + ")";
    }
}
