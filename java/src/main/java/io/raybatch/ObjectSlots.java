package io.raybatch;

import java.lang.ref.Reference;

/**
 * One batch's objects by slot: a {@code long} for each instead of an {@link ObjectRef}, and nothing allocated on Java's
 * heap, for millions of small objects.
 *
 * <p>A slot means something only here, in this batch. Safe for many threads.
 */
public final class ObjectSlots {

    private final BatchScope scope;
    private final long client;

    ObjectSlots(BatchScope scope) {
        this.scope = scope;
        this.client = scope.ray().client();
    }

    /**
     * Puts bytes.
     *
     * @param source holds them
     * @param offset of the first
     * @param length how many
     * @return the slot, not negative
     * @throws BatchEndedException when the batch has ended
     * @throws ObjectBoundsException when the range is not inside of {@code source}
     */
    public long put(byte[] source, int offset, int length) {
        long slot = Native.put(client, scope.id(), scope.life(), source, offset, length, Native.KIND_BYTES);
        Reference.reachabilityFence(this);
        return slot;
    }

    /**
     * Copies an object out, whole.
     *
     * @param slot as {@link #put} returned it
     * @param target takes the bytes
     * @param offset of the first
     * @param length room for them: at least the object's size
     * @return the object's size; -1 when it is not there any more, as can be with {@link Eviction#LRU}
     * @throws ObjectCollectedException when the batch is collected
     * @throws ObjectBoundsException when it does not fit
     */
    public int get(long slot, byte[] target, int offset, int length) {
        int size = Native.getSlot(client, scope.id(), scope.life(), slot, target, offset, length);
        Reference.reachabilityFence(this);
        return size;
    }

    /**
     * Names an object.
     *
     * @param slot as {@link #put} returned it
     * @return its id
     */
    public ObjectId id(long slot) {
        return new ObjectId(scope.id(), Slots.task(scope.life(), slot), Slots.index(slot));
    }

    /**
     * Refers to an object, to keep it, say.
     *
     * @param slot as {@link #put} returned it
     * @return a reference
     */
    public ObjectRef<byte[]> ref(long slot) {
        return scope.ray().refOf(scope, slot, true);
    }
}
