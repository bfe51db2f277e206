package io.raybatch;

import static io.raybatch.MappedStore.HALF;
import static io.raybatch.MappedStore.WORD;
import static io.raybatch.MappedStore.index;

import java.lang.invoke.VarHandle;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * What one life of a batch holds in the store, read and written without a native call.
 *
 * <p><b>Putting.</b> Whoever is in one of the region's leases, this JVM or the native side, bumps a pointer, copies, and
 * publishes an index entry. A lease that has no room left, that nobody may use (the batch has ended, or has a limit), or
 * that is busy is left to {@link Native#put}, which gets more room, refuses with an exception, or waits.
 *
 * <p><b>Getting.</b> What was copied counts only if the region's generation and the object's entry are the same
 * afterwards as before: so it was that object all the while, whoever collects, frees or reuses memory meanwhile.
 *
 * <p>Words are read and written with the plain accessors of buffers, whose aligned eight bytes HotSpot moves at once, and ordered
 * by fences, which cost nothing on x86; where a step must be atomic or release, a {@link VarHandle} does it.
 *
 * <p>The protocols are those of the crate's {@code gate.rs} and {@code seqlock.rs}, where they are proven. Safe for many
 * threads; nothing here waits or allocates, except for results.
 */
final class MappedRegion {

    /** Not to be had without the native side. */
    static final int NOT_HERE = -1;

    // The region's header.
    static final int GENERATION = 0;
    static final int OVERFLOW = 24;
    static final int INLINE = 32;
    static final int INLINE_PAGES = 16;
    static final int STRIPES = 96;
    static final int NATIVE_ONLY = 1 << 15;
    static final int FIRST_LEASE = 128;

    // A lease.
    static final int LEASE = 128;
    static final int GATE = 0;
    static final int CURSOR = 8;
    static final int END = 16;
    static final int MADE = 24;
    static final int BYTES = 32;
    static final int BLOCK = 48;
    static final int LIMIT = 56;
    static final int ENTRIES = 64;
    static final int FIRST = 72;

    // An index entry, and its states.
    static final int PAGE = 4096;
    static final int ENTRY = 16;
    static final int SEALED = 2;
    static final int HAS_METADATA = 1 << 15;
    static final int KIND_SHIFT = 8;
    static final int KIND_MASK = 0x7f;

    /** Objects larger than this have a run of their own. */
    static final int LARGE = 64 << 10;

    private static final int STRIPES_SHIFT = 16;
    private static final long BUSY = 1;
    private static final long CLOSED = 2;
    private static final long STATE_MASK = 0xff;
    private static final int PAGES_PER_DIRECTORY_PAGE = PAGE / 4;
    private static final int SLOT_BITS = 8;
    private static final int SLOT_MASK = (1 << SLOT_BITS) - 1;

    /** No lease is entered: it is gone, or taken. */
    private static final long GONE = 0;
    private static final long TAKEN = -1;

    /** Most objects put while in a lease: those who want to be sure of having seen every put wait for them. */
    private static final int MOST_AT_ONCE = 4096;
    private static final long[] NO_PAGES = {};
    private static final Found NULL = new Found(new byte[0], Native.KIND_NULL);

    private final MappedStore store;
    private final long headerAt;
    private final long generation;
    private final ByteBuffer header;
    private final int h;

    /**
     * Where each index page lies, as far as they were looked up; 0 where not. Read without a lock: what an old array does
     * not know is looked up again.
     */
    private long[] pages = NO_PAGES;

    private MappedRegion(MappedStore store, long headerAt, long generation) {
        this.store = store;
        this.headerAt = headerAt;
        this.generation = generation;
        this.header = store.window(headerAt);
        this.h = index(headerAt);
    }

    /** Null where the batch has no region that could be mapped. */
    static MappedRegion of(MappedStore store, long headerAt, long generation) {
        return store == null || headerAt == 0 ? null : new MappedRegion(store, headerAt, generation);
    }

    private boolean lives() {
        return (long) WORD.getAcquire(header, h + GENERATION) == generation;
    }

    // ---- putting --------------------------------------------------------------------------------------------------

    /**
     * Puts bytes.
     *
     * @return {@code slot << 24 | index}, or {@link #NOT_HERE}: nothing was done then
     */
    long put(byte[] source, int offset, int length, int kind) {
        if (source == null || (offset | length - 1 | LARGE - length | source.length - offset - length) < 0) {
            return NOT_HERE;
        }
        long stripes = header.getLong(h + STRIPES);
        if (stripes != 0) {
            return putStriped(stripes, source, offset, length, kind);
        }
        long gate = enter(header, h + FIRST_LEASE);
        return gate <= 0 ? NOT_HERE : putAndLeave(header, h + FIRST_LEASE, gate, source, offset, length, kind);
    }

    private long putStriped(long stripes, byte[] source, int offset, int length, int kind) {
        for (int attempt = 0; ; attempt++) {
            long at = stripe(stripes, attempt);
            if (at == GONE) {
                return NOT_HERE;
            }
            ByteBuffer lease = store.window(at);
            int l = index(at);
            long gate = enter(lease, l);
            if (gate > 0) {
                return putAndLeave(lease, l, gate, source, offset, length, kind);
            }
            if (gate == GONE) {
                return NOT_HERE;
            }
        }
    }

    private long putAndLeave(ByteBuffer lease, int l, long gate, byte[] source, int offset, int length, int kind) {
        long slot = NOT_HERE;
        try {
            if (!store.isAwaited()) {
                slot = putInside(lease, l, source, offset, length, kind);
            }
        } catch (Throwable e) {
            leave(lease, l, gate);
            throw e;
        }
        leave(lease, l, gate);
        return slot;
    }

    /**
     * Puts some of many objects that lie one after the other in an array.
     *
     * @param offsets null for equal sizes: then the nth object is {@code size} bytes from {@code base + n * size} on; else
     *     it is {@code offsets[n] … offsets[n + 1]}
     * @param slots takes {@code slot << 24 | index} of the nth object at {@code slotsAt + n}; may be null
     * @return how many were put, from {@code from} on: 0 where it is the native side's turn
     */
    int putSome(byte[] source, int base, int size, int[] offsets, int from, int to, long[] slots, int slotsAt) {
        long stripes = (long) WORD.getAcquire(header, h + STRIPES);
        for (int attempt = 0; ; attempt++) {
            long at = stripe(stripes, attempt);
            if (at == GONE) {
                return 0;
            }
            ByteBuffer lease = store.window(at);
            int l = index(at);
            long gate = enter(lease, l);
            if (gate == GONE) {
                return 0;
            }
            if (gate == TAKEN) {
                continue;
            }
            try {
                int most = store.isAwaited() ? 0 : Math.min(to - from, MOST_AT_ONCE);
                return offsets == null
                        ? putEqual(lease, l, source, base + from * size, size, most, slots, slotsAt + from)
                        : putVarious(lease, l, source, offsets, from, most, slots, slotsAt + from);
            } finally {
                leave(lease, l, gate);
            }
        }
    }

    /** As {@link #putInside}, for as many objects of one size as there is room for, with one copy where they lie close. */
    private int putEqual(
            ByteBuffer lease, int l, byte[] source, int offset, int size, int most, long[] slots, int slotsAt) {
        if (size <= 0 || size > LARGE) {
            return 0;
        }
        int align = alignment(size);
        int stride = size + align - 1 & -align;
        long made = lease.getLong(l + MADE);
        long at = lease.getLong(l + CURSOR) + align - 1 & -align;
        long room = Math.min((lease.getLong(l + END) - at) / stride, lease.getLong(l + LIMIT) - made);
        int count = (int) Math.min(most, room);
        if (count <= 0) {
            return 0;
        }
        int index = (int) (made - lease.getLong(l + BLOCK));
        long entry = lease.getLong(l + ENTRIES) + made * ENTRY;
        long slot = lease.getLong(l + FIRST) + made;
        ByteBuffer data = store.window(at);
        if (stride == size) {
            data.put(index(at), source, offset, count * size);
        } else {
            for (int n = 0; n < count; n++) {
                data.put(index(at) + n * stride, source, offset + n * size, size);
            }
        }
        lease.putLong(l + CURSOR, at + (long) count * stride);
        lease.putLong(l + BYTES, lease.getLong(l + BYTES) + (long) count * size);
        lease.putLong(l + MADE, made + count);
        ByteBuffer entries = store.window(entry);
        int e = index(entry);
        for (int n = 0; n < count; n++) {
            entries.putLong(e + n * ENTRY + 8, (long) size << 32 | index + n);
            WORD.setRelease(entries, e + n * ENTRY, at + (long) n * stride << 16 | SEALED);
        }
        if (slots != null) {
            for (int n = 0; n < count; n++) {
                slots[slotsAt + n] = Slots.pack(slot + n, index + n);
            }
        }
        return count;
    }

    private int putVarious(
            ByteBuffer lease, int l, byte[] source, int[] offsets, int from, int most, long[] slots, int slotsAt) {
        for (int n = 0; n < most; n++) {
            int start = offsets[from + n];
            int length = offsets[from + n + 1] - start;
            if (length <= 0 || length > LARGE) {
                return n;
            }
            long slot = putInside(lease, l, source, start, length, Native.KIND_BYTES);
            if (slot < 0) {
                return n;
            }
            if (slots != null) {
                slots[slotsAt + n] = slot;
            }
        }
        return most;
    }

    /** As the crate's {@code layout::alignment}. */
    private static int alignment(int length) {
        return length >= 64 ? 8 : 1 << Math.min(Integer.numberOfTrailingZeros(length), 3);
    }

    /**
     * Where the lease to try lies: the first one if it is alone, else the stripes from the thread's own on; {@link #GONE}
     * after the last, and where the native side puts alone.
     */
    private long stripe(long stripes, int attempt) {
        if (stripes == 0) {
            return attempt == 0 ? headerAt + FIRST_LEASE : GONE;
        }
        int count = (int) stripes & NATIVE_ONLY - 1;
        if ((stripes & NATIVE_ONLY) != 0 || attempt == count) {
            return GONE;
        }
        int n = thread() + attempt & count - 1;
        return (stripes >>> STRIPES_SHIFT) + (long) n * LEASE;
    }

    /** A number of the current thread, by which threads spread over the stripes, here and on the native side. */
    static int thread() {
        return (int) Thread.currentThread().getId();
    }

    /** What the gate read before it was entered, or why it was not. */
    private long enter(ByteBuffer lease, int l) {
        long gate = (long) WORD.getAcquire(lease, l + GATE);
        // after the gate was read: if the region goes now, what was read is not there any more
        if ((gate & CLOSED) != 0 || !lives()) {
            return GONE;
        }
        if ((gate & BUSY) != 0 || !WORD.compareAndSet(lease, l + GATE, gate, gate | BUSY)) {
            return TAKEN;
        }
        VarHandle.releaseFence();
        return gate;
    }

    /**
     * By a plain store, which does not tell whether the region was dropped meanwhile: then the store's housekeeping finds the
     * lease, and gives its memory back.
     */
    private void leave(ByteBuffer lease, int l, long gate) {
        WORD.setRelease(lease, l + GATE, gate);
        Reference.reachabilityFence(this);
    }

    /**
     * One put, in a lease with nobody else.
     *
     * <p>All that the next one relies on is written before the entry is published: if this thread dies in between, of a
     * stack overflow say, a slot stays empty, and nothing is lost or written over.
     */
    private long putInside(ByteBuffer lease, int l, byte[] source, int offset, int length, int kind) {
        long made = lease.getLong(l + MADE);
        int align = alignment(length);
        long at = lease.getLong(l + CURSOR) + align - 1 & -align;
        long end = at + length;
        if (made == lease.getLong(l + LIMIT) || end > lease.getLong(l + END)) {
            return NOT_HERE;
        }
        int index = (int) (made - lease.getLong(l + BLOCK));
        long entry = lease.getLong(l + ENTRIES) + made * ENTRY;
        long slot = lease.getLong(l + FIRST) + made;
        store.window(at).put(index(at), source, offset, length);
        lease.putLong(l + CURSOR, end);
        lease.putLong(l + BYTES, lease.getLong(l + BYTES) + length);
        lease.putLong(l + MADE, made + 1);
        ByteBuffer entries = store.window(entry);
        int e = index(entry);
        entries.putLong(e + 8, (long) length << 32 | index);
        WORD.setRelease(entries, e, at << 16 | (long) kind << KIND_SHIFT | SEALED);
        return Slots.pack(slot, index);
    }

    // ---- getting --------------------------------------------------------------------------------------------------

    /** An object whose kind travels as {@code byte[]}. */
    record Found(byte[] bytes, int kind) {}

    /**
     * Copies an object out into an array of its own.
     *
     * @return null for a kind that travels as another array, and where it is not to be had without the native side
     */
    Found get(long slot, int objectIndex) {
        long entry = entry(slot);
        if (entry < 0) {
            return null;
        }
        ByteBuffer entries = store.window(entry);
        int e = index(entry);
        long word = entries.getLong(e);
        VarHandle.acquireFence();
        long more = entries.getLong(e + 8);
        int kind = (int) (word >>> KIND_SHIFT) & KIND_MASK;
        if (kind == Native.KIND_NULL) {
            boolean there = (word & STATE_MASK) == SEALED && (int) more == objectIndex;
            return there && isStill(entries, e, word) ? NULL : null;
        }
        if (kind > Native.KIND_BUFFER && kind < Native.KIND_FAILURE || !isPlain(word, more, objectIndex)) {
            return null;
        }
        int size = (int) (more >>> 32);
        // what was read is somebody else's if the entry is not the same any more: no large array is made for that
        if (size > LARGE && !isStill(entries, e, word)) {
            return null;
        }
        byte[] bytes = new byte[size];
        copy(word >>> 16, bytes, 0, bytes.length);
        return isStill(entries, e, word) ? new Found(bytes, kind) : null;
    }

    /**
     * Copies an object out.
     *
     * @return its size, or {@link #NOT_HERE}: the target is as it was, or zeroed where it was written
     */
    int get(long slot, int objectIndex, byte[] target, int offset, int room) {
        if (target == null || (offset | room | target.length - offset - room) < 0) {
            return NOT_HERE;
        }
        long entry = entry(slot);
        if (entry < 0) {
            return NOT_HERE;
        }
        ByteBuffer entries = store.window(entry);
        int e = index(entry);
        long word = entries.getLong(e);
        VarHandle.acquireFence();
        long more = entries.getLong(e + 8);
        int size = (int) (more >>> 32);
        if (size > room || !isPlain(word, more, objectIndex)) {
            return NOT_HERE;
        }
        copy(word >>> 16, target, offset, size);
        if (isStill(entries, e, word)) {
            return size;
        }
        // it may be another object's by now
        Arrays.fill(target, offset, offset + size, (byte) 0);
        return NOT_HERE;
    }

    /** True if it is sealed; false says nothing where its entry cannot be looked at from here. */
    boolean isSealed(long slot, int objectIndex) {
        long entry = entry(slot);
        if (entry < 0) {
            return false;
        }
        ByteBuffer entries = store.window(entry);
        int e = index(entry);
        long word = (long) WORD.getAcquire(entries, e);
        return (word & STATE_MASK) == SEALED && (int) entries.getLong(e + 8) == objectIndex && isStill(entries, e, word);
    }

    /** Sealed, without metadata, of that index, and inside of the arena in one piece. */
    private boolean isPlain(long word, long more, int objectIndex) {
        return (word & (STATE_MASK | HAS_METADATA)) == SEALED
                && (int) more == objectIndex
                && more >= 0
                && store.inOneWindow(word >>> 16, (int) (more >>> 32));
    }

    private void copy(long at, byte[] target, int offset, int size) {
        if (size > 0) {
            store.window(at).get(index(at), target, offset, size);
        }
    }

    /** True if all that was read since the entry was is that object's. */
    private boolean isStill(ByteBuffer entries, int e, long word) {
        // the generation never comes back: if it is the region's now, it was while all of this was read
        VarHandle.acquireFence();
        boolean still = header.getLong(h + GENERATION) == generation && entries.getLong(e) == word;
        Reference.reachabilityFence(this);
        return still;
    }

    /** Where a slot's entry lies, to be validated; negative where there is none. */
    private long entry(long slot) {
        long number = slot >>> SLOT_BITS;
        long[] known = pages;
        if (number < known.length) {
            long page = known[(int) number];
            if (page != 0) {
                return page + (slot & SLOT_MASK) * ENTRY;
            }
        }
        long page = page(number);
        return page < 0 ? NOT_HERE : page + (slot & SLOT_MASK) * ENTRY;
    }

    /** Looks an index page up, and remembers it: it stays where it is while the region lives. */
    private long page(long number) {
        long page;
        if (number < INLINE_PAGES) {
            page = (int) HALF.getAcquire(header, h + INLINE + (int) number * 4) & 0xffff_ffffL;
        } else {
            long overflow = (long) WORD.getAcquire(header, h + OVERFLOW);
            long beyond = number - INLINE_PAGES;
            long at = (overflow >>> 32) * PAGE + beyond * 4;
            if (beyond >= (overflow & 0xffff_ffffL) * PAGES_PER_DIRECTORY_PAGE || !store.inOneWindow(at, 4)) {
                return NOT_HERE;
            }
            page = (int) HALF.getAcquire(store.window(at), index(at)) & 0xffff_ffffL;
        }
        if (page == 0 || !store.inOneWindow(page * PAGE, PAGE) || !lives()) {
            return NOT_HERE;
        }
        remember((int) number, page * PAGE);
        return page * PAGE;
    }

    private synchronized void remember(int number, long page) {
        long[] known = pages;
        if (number >= known.length) {
            known = Arrays.copyOf(known, Math.max(number + 1, known.length * 2));
            pages = known;
        }
        known[number] = page;
    }
}
