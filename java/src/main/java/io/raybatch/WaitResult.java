package io.raybatch;

import java.util.List;

/**
 * What {@link RayApi#wait(java.util.Collection, int, java.time.Duration)} found; each list in the order given.
 *
 * @param ready a {@code get} of these answers at once, with the value or with an exception
 * @param pending the others
 * @param <T> type of the values
 */
public record WaitResult<T>(List<ObjectRef<T>> ready, List<ObjectRef<T>> pending) {

    /**
     * Keeps its own copies.
     *
     * @param ready see the record
     * @param pending see the record
     */
    public WaitResult {
        ready = List.copyOf(ready);
        pending = List.copyOf(pending);
    }
}
