package io.raybatch;

/**
 * Something that happened in the store.
 *
 * @param type what
 * @param id the object; for a batch's event its batch, with task and index 0; all 0 when the store closed
 *     or events were dropped
 * @param size bytes of data; of {@link Type#LAGGED} the number of events that were dropped
 * @param metadataSize bytes of metadata
 */
public record ObjectEvent(Type type, ObjectId id, long size, long metadataSize) {

    /** What can happen. */
    public enum Type {
        /** An object was sealed, or existed when the subscription began. */
        SEALED,
        /** An object was deleted, or its bytes freed. */
        DELETED,
        /** An object of normal mode was evicted. */
        EVICTED,
        /** A batch was ended. */
        BATCH_ENDED,
        /** A batch was collected, and all it owned with it: one event, however many objects. */
        BATCH_COLLECTED,
        /** The store closed; the last event. */
        STORE_CLOSED,
        /**
         * Events came faster than they were taken: the oldest ones that waited, {@link #size()} of them, were dropped. They would have
         * come before the next event. {@link RayApi#list()} tells what exists.
         */
        LAGGED
    }

    static final int FIGURES = 6;

    private static final Type[] TYPES = Type.values();

    /** {@return the batch concerned; 0 in normal mode} */
    public long batchId() {
        return id.batch();
    }

    /** From {@link Native#poll}. */
    static ObjectEvent of(long[] figures, int at) {
        return new ObjectEvent(
                TYPES[Math.toIntExact(figures[at]) - 1],
                new ObjectId(figures[at + 1], figures[at + 2], (int) figures[at + 3]),
                figures[at + 4],
                figures[at + 5]);
    }
}
