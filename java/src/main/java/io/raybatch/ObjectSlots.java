package io.raybatch;

import java.lang.ref.Reference;

/**
 * One batch's objects by slot: a {@code long} for each instead of an {@link ObjectRef}, and nothing allocated on Java's
 * heap, for millions of small objects.
 *
 * <pre>{@code
 * ObjectSlots objects = batch.slots();
 * objects.putAll(rows, 0, 64, 10_000, slots, 0);      // ten thousand objects of 64 bytes each
 * int size = objects.get(slots[7], row, 0, row.length);
 * for (SlotCursor all = objects.cursor(); all.next(); ) {
 *     all.get(row, 0);
 * }
 * }</pre>
 *
 * <p>A slot means something only here, in this batch. Safe for many threads.
 */
public final class ObjectSlots {

    private final BatchScope scope;
    private final MappedRegion region;
    private final long client;

    ObjectSlots(BatchScope scope) {
        this.scope = scope;
        this.region = scope.region();
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
        try {
            return scope.put(source, offset, length, Native.KIND_BYTES);
        } catch (StoreFullException full) {
            return scope.ray().room().waiting(full, () -> scope.put(source, offset, length, Native.KIND_BYTES));
        }
    }

    /**
     * Puts many objects of one size that lie one after the other in an array.
     *
     * @param source holds them
     * @param offset of the first one's first byte
     * @param size of each, in bytes
     * @param count how many objects
     * @param slots takes the slot of each, from {@code slotsAt} on; null if they are not needed
     * @param slotsAt where the first slot goes
     * @throws BatchEndedException when the batch has ended: those before stay put, here and below
     * @throws StoreFullException when there is no more room
     * @throws BatchLimitException when the batch is at its limit
     * @throws ObjectBoundsException when they are not inside of {@code source}, or the slots not of {@code slots}; nothing
     *     is put then
     */
    public void putAll(byte[] source, int offset, int size, int count, long[] slots, int slotsAt) {
        Checks.range("the array of slots", slots == null ? Integer.MAX_VALUE : slots.length, slotsAt, count);
        if (size < 0 || (long) size * count > Integer.MAX_VALUE) {
            throw Checks.bounds(count + " objects of " + size + " bytes are more than an array holds");
        }
        Checks.range("the source", Checks.notNull("the source", source).length, offset, size * count);
        for (int done = 0; done < count; ) {
            int some = region == null ? 0 : region.putSome(source, offset, size, null, done, count, slots, slotsAt);
            if (some == 0) {
                keep(slots, slotsAt + done, put(source, offset + done * size, size));
                some = 1;
            }
            done += some;
        }
    }

    /**
     * Puts many objects that lie one after the other in an array.
     *
     * @param source holds them
     * @param offsets the nth object is {@code source[offsets[n]] … source[offsets[n + 1]]}
     * @param from the first object to put
     * @param count how many objects
     * @param slots takes the slot of each, from {@code slotsAt} on; null if they are not needed
     * @param slotsAt where the first slot goes
     * @throws BatchEndedException when the batch has ended
     * @throws StoreFullException when there is no more room
     * @throws BatchLimitException when the batch is at its limit
     * @throws ObjectBoundsException when an offset is less than the one before or outside of {@code source}, or the slots
     *     are not inside of {@code slots}; nothing is put then
     */
    public void putAll(byte[] source, int[] offsets, int from, int count, long[] slots, int slotsAt) {
        Checks.range("the array of slots", slots == null ? Integer.MAX_VALUE : slots.length, slotsAt, count);
        Checks.range("the array of offsets", Checks.notNull("the array of offsets", offsets).length - 1, from, count);
        Checks.ascending(offsets, from, count, Checks.notNull("the source", source).length);
        int end = from + count;
        for (int n = from; n < end; ) {
            int some = region == null ? 0 : region.putSome(source, 0, 0, offsets, n, end, slots, slotsAt - from);
            if (some == 0) {
                keep(slots, slotsAt + n - from, put(source, offsets[n], offsets[n + 1] - offsets[n]));
                some = 1;
            }
            n += some;
        }
    }

    private static void keep(long[] slots, int at, long slot) {
        if (slots != null) {
            slots[at] = slot;
        }
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
        int size = region == null
                ? MappedRegion.NOT_HERE
                : region.get(Slots.slot(slot), Slots.index(slot), target, offset, length);
        if (size < 0) {
            size = Native.getSlot(client, scope.id(), scope.life(), slot, target, offset, length);
        }
        Reference.reachabilityFence(this);
        return size;
    }

    /**
     * Goes through the sealed objects that the batch made and still has, in the order of their slots. What is put
     * meanwhile may be met or not.
     *
     * @return before the first
     */
    public SlotCursor cursor() {
        return new SlotCursor(this);
    }

    /** Sealed objects from a slot on, as {@link Native#scan}. */
    int scan(long from, long[] out) {
        int count = Native.scan(client, scope.id(), scope.life(), from, out);
        Reference.reachabilityFence(this);
        return count;
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
