package io.raybatch;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Why tasks failed that found the store full: on the heap, for when there is no space in the store to say so. The last ones; a
 * failure that was stored after all is read from the store.
 */
final class SpareFailures {

    /** Of some KiB each, at most. */
    private static final int MOST = 1000;

    /** task of a batch → payload of the failure; guarded by itself */
    private final Map<Key, byte[]> payloads = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, byte[]> eldest) {
            return size() > MOST;
        }
    };

    private record Key(long batch, long task) {}

    void remember(long batch, long task, byte[] payload) {
        synchronized (payloads) {
            payloads.put(new Key(batch, task), payload);
        }
    }

    /** Null where none is known. */
    byte[] of(long batch, long task) {
        synchronized (payloads) {
            return payloads.get(new Key(batch, task));
        }
    }

    /**
     * The payload of a failure.
     *
     * @param stored what the store has
     */
    static byte[] better(RayApi ray, byte[] stored, long batch, long task) {
        if (stored.length > 0 && stored[0] != Failures.INTERNAL) {
            return stored;
        }
        Engine engine = ray.tasks().engineIfStarted();
        byte[] spare = engine == null ? null : engine.spareFailure(batch, task);
        return spare == null ? stored : spare;
    }
}
