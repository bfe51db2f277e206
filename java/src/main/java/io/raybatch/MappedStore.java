package io.raybatch;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The store's arena as this JVM maps it: windows of 1 GiB, of which an offset's high bits choose one. Every address of it
 * stays mapped while this is reachable, whatever becomes of the store; once that is closed all reads as zero.
 *
 * <p>What lies where is said in the crate's {@code layout.rs}; a test compares the numbers.
 */
final class MappedStore {

    /** Words of the arena, little-endian and aligned: {@code (ByteBuffer window, int index)}. */
    static final VarHandle WORD = MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Halves of words. */
    static final VarHandle HALF = MethodHandles.byteBufferViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);

    /** In the superblock: how many wait for what a put may make, or listen. */
    static final int AWAITED = 64;

    private static final int WINDOW_BITS = 30;
    private static final int WINDOW_MASK = (1 << WINDOW_BITS) - 1;

    private final long mapping;
    private final ByteBuffer[] windows;
    private final long bytes;

    private MappedStore(long mapping, Object[] mapped) {
        this.mapping = mapping;
        this.windows = new ByteBuffer[mapped.length];
        long sum = 0;
        for (int n = 0; n < windows.length; n++) {
            windows[n] = ((ByteBuffer) mapped[n]).order(ByteOrder.LITTLE_ENDIAN);
            sum += windows[n].capacity();
        }
        this.bytes = sum;
    }

    /** Maps the arena of a client's store. */
    static MappedStore of(long client) {
        long[] mapping = new long[1];
        Object[] windows = Native.map(client, mapping);
        long handle = mapping[0];
        MappedStore store = new MappedStore(handle, windows);
        Cleaners.register(store, () -> Native.unmap(handle));
        return store;
    }

    long mapping() {
        return mapping;
    }

    /** True if {@code count} bytes from {@code at} on are inside of one window. */
    boolean inOneWindow(long at, long count) {
        return at >= 0 && at <= bytes - count && at >>> WINDOW_BITS == (at + count - 1) >>> WINDOW_BITS;
    }

    /** The window that holds an offset. */
    ByteBuffer window(long at) {
        return windows[(int) (at >>> WINDOW_BITS)];
    }

    /** Where in its window an offset is. */
    static int index(long at) {
        return (int) at & WINDOW_MASK;
    }

    /** True while somebody waits for an object that a put may make, or listens. To be asked by whoever is in a lease. */
    boolean isAwaited() {
        return (long) WORD.getOpaque(windows[0], AWAITED) != 0;
    }
}
