package io.raybatch;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * Actors' instances, and how each actor is constructed. One thread at a time has an instance; the map hands over what it wrote.
 */
final class Instances {

    /**
     * How an actor is constructed, also when the batch that did it first is gone.
     *
     * @param entry as {@link Functions} has it
     */
    record Creation(RayApi ray, Object entry) {}

    /** {@code actor << 32 | instance} → the object */
    private final ConcurrentMap<Long, Object> live = new ConcurrentHashMap<>();

    /** actor → how it is constructed */
    private final ConcurrentMap<Integer, Creation> creations = new ConcurrentHashMap<>();

    /** Actors that left the batch they were born in, and were not constructed yet. */
    private final Set<Integer> movedBefore = ConcurrentHashMap.newKeySet();

    void set(int actor, int instance, Object object) {
        live.put(key(actor, instance), object);
    }

    /** Null when there is none, or it was dropped. */
    Object get(int actor, int instance) {
        return live.get(key(actor, instance));
    }

    void drop(int actor, int instance) {
        live.remove(key(actor, instance));
    }

    /** Remembers how an actor is constructed. */
    void created(int actor, Creation creation) {
        creations.putIfAbsent(actor, creation);
        if (movedBefore.contains(actor)) {
            moved(actor);
        }
    }

    /** Null for one that was never constructed, or is dead. */
    Creation creation(int actor) {
        return creations.get(actor);
    }

    /** The actor leaves the batch that it was born in: what it is constructed with must not go with that. */
    void moved(int actor) {
        // it may be constructed just now: whoever is later sees the other
        movedBefore.add(actor);
        Creation known = creations.computeIfPresent(actor, (number, creation) -> creation.entry() instanceof StoredCall call
                ? new Creation(creation.ray(), call.withCopies(creation.ray()))
                : creation);
        if (known != null) {
            movedBefore.remove(actor);
        }
    }

    /** The actor is dead. */
    void forget(int actor) {
        creations.remove(actor);
        movedBefore.remove(actor);
    }

    void clear() {
        live.clear();
        creations.clear();
        movedBefore.clear();
    }

    private static long key(int actor, int instance) {
        return (long) actor << 32 | instance & 0xffff_ffffL;
    }
}
