package io.raybatch;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Actors' instances. One thread at a time has an instance; the map hands over what it wrote. */
final class Instances {

    /** {@code actor << 32 | instance} → the object */
    private final ConcurrentMap<Long, Object> live = new ConcurrentHashMap<>();

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

    void clear() {
        live.clear();
    }

    private static long key(int actor, int instance) {
        return (long) actor << 32 | instance & 0xffff_ffffL;
    }
}
