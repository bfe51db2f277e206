package io.raybatch;

import java.io.OutputStream;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * An object being written. Others see it once it is sealed, and nobody can change it from then on. What was never
 * written reads as zero.
 *
 * <pre>{@code
 * try (ObjectWriter w = batch.create(16)) {
 *     w.putLong(0, key);
 *     w.putDouble(8, value);
 *     ref = w.seal();
 * }                                // aborted, if it did not come to seal
 * }</pre>
 *
 * <p>Positions count bytes from 0; one outside of the object is an {@link ObjectBoundsException}. After {@link #seal()}
 * writing is an {@link ObjectSealedException}, after {@link #abort()}, {@link #release()} or {@link #close()} a
 * {@link RayClosedException}. Safe for many threads.
 */
public final class ObjectWriter implements AutoCloseable {

    private final long client;
    private final long writer;
    private final long size;
    private final ObjectRef<byte[]> ref;
    /** True once sealed, aborted or released. */
    private final AtomicBoolean done;
    private final Cleaner.Cleanable abandon;

    ObjectWriter(long client, long writer, long size, ObjectRef<byte[]> ref) {
        this.client = client;
        this.writer = writer;
        this.size = size;
        this.ref = ref;
        Abandon action = new Abandon(client, writer, new AtomicBoolean());
        this.done = action.done;
        this.abandon = Cleaners.register(this, action);
    }

    /** Nobody can seal an object whose writer is gone, so that it is given up. */
    private record Abandon(long client, long writer, AtomicBoolean done) implements Runnable {
        @Override
        public void run() {
            if (!done.compareAndSet(false, true)) {
                return;
            }
            try {
                Native.writerAbort(client, writer);
            } catch (RayClosedException | ObjectCollectedException | ObjectSealedException gone) {
                // with its client or its batch, or sealed by another thread just now
            }
        }
    }

    /** {@return the object's id} */
    public ObjectId id() {
        return ref.id();
    }

    /** {@return a reference to the object, which others can wait for before it is sealed} */
    public ObjectRef<byte[]> ref() {
        return ref;
    }

    /** {@return bytes of data} */
    public long size() {
        return size;
    }

    /**
     * Writes a byte.
     *
     * @param position of it
     * @param value to write
     */
    public void put(long position, byte value) {
        write(position, new byte[] {value});
    }

    /**
     * Writes a short, little-endian.
     *
     * @param position of its first byte
     * @param value to write
     */
    public void putShort(long position, short value) {
        write(position, scratch(Short.BYTES).putShort(0, value).array());
    }

    /**
     * Writes a int, little-endian.
     *
     * @param position of its first byte
     * @param value to write
     */
    public void putInt(long position, int value) {
        write(position, scratch(Integer.BYTES).putInt(0, value).array());
    }

    /**
     * Writes a long, little-endian.
     *
     * @param position of its first byte
     * @param value to write
     */
    public void putLong(long position, long value) {
        write(position, scratch(Long.BYTES).putLong(0, value).array());
    }

    /**
     * Writes a float, little-endian.
     *
     * @param position of its first byte
     * @param value to write
     */
    public void putFloat(long position, float value) {
        write(position, scratch(Float.BYTES).putFloat(0, value).array());
    }

    /**
     * Writes a double, little-endian.
     *
     * @param position of its first byte
     * @param value to write
     */
    public void putDouble(long position, double value) {
        write(position, scratch(Double.BYTES).putDouble(0, value).array());
    }

    /**
     * Writes bytes.
     *
     * @param position of the first in the object
     * @param source holds them
     */
    public void put(long position, byte[] source) {
        put(position, source, 0, source.length);
    }

    /**
     * Writes bytes.
     *
     * @param position of the first in the object
     * @param source holds them
     * @param offset of the first in {@code source}
     * @param length how many
     */
    public void put(long position, byte[] source, int offset, int length) {
        checkWritable(position);
        try {
            Native.writerPut(client, writer, position, source, offset, length);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Writes what remains in a buffer, whose position moves to its limit.
     *
     * @param position of the first byte in the object
     * @param source holds them; heap or direct
     */
    public void put(long position, ByteBuffer source) {
        int length = source.remaining();
        checkWritable(position);
        if (source.isDirect()) {
            try {
                Native.writerPutDirect(client, writer, position, source, source.position(), length);
            } finally {
                Reference.reachabilityFence(this);
            }
        } else if (source.hasArray()) {
            put(position, source.array(), source.arrayOffset() + source.position(), length);
        } else {
            byte[] copy = new byte[length];
            source.duplicate().get(copy);
            put(position, copy, 0, length);
        }
        source.position(source.limit());
    }

    /**
     * Reads back what was written; what was not reads as zero.
     *
     * @param position of the first byte in the object
     * @param target takes them
     * @param offset of the first in {@code target}
     * @param length how many
     */
    public void copyTo(long position, byte[] target, int offset, int length) {
        checkWritable(position);
        try {
            Native.writerGet(client, writer, position, target, offset, length);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** {@return a stream that writes from position 0 on; closing it seals nothing} */
    public OutputStream outputStream() {
        return new ObjectStreams.Output(this);
    }

    /** {@return a channel that writes from position 0 on; closing it seals nothing} */
    public WritableByteChannel channel() {
        return new ObjectStreams.Target(this);
    }

    /**
     * Makes the object visible and immutable.
     *
     * @return a reference to it
     * @throws ObjectSealedException when it is sealed
     * @throws RayClosedException when it was aborted or released
     */
    public ObjectRef<byte[]> seal() {
        checkUnsealed();
        try {
            Native.writerSeal(client, writer);
        } finally {
            Reference.reachabilityFence(this);
        }
        ref.sealed();
        settle();
        return ref;
    }

    /**
     * Gives the object up. Its id can be used again.
     *
     * @throws ObjectSealedException when it is sealed
     */
    public void abort() {
        checkUnsealed();
        try {
            Native.writerAbort(client, writer);
        } finally {
            Reference.reachabilityFence(this);
        }
        settle();
    }

    /**
     * Lets go of the object and leaves it unsealed; {@link RayApi#seal} or {@link RayApi#abort} decides later.
     */
    public void release() {
        checkUnsealed();
        try {
            Native.writerRelease(client, writer);
        } finally {
            Reference.reachabilityFence(this);
        }
        settle();
    }

    /** Aborts it, unless it was sealed, aborted or released. Idempotent. So does a writer that is unreachable. */
    @Override
    public void close() {
        abandon.clean();
    }

    ByteBuffer writableBuffer() {
        checkUnsealed();
        long[] hold = new long[1];
        try {
            ByteBuffer original = Native.writerBuffer(client, writer, hold);
            return Cleaners.releaseWithBuffer(original, hold[0]);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private void settle() {
        done.set(true);
        abandon.clean();
    }

    /** For the exception that says more than that the handle is closed; the native side checks in any case. */
    private void checkUnsealed() {
        if (ref.isSealed()) {
            throw new ObjectSealedException("object " + ref + " is sealed, and immutable", ErrorDetails.of(id()));
        }
    }

    private void checkWritable(long position) {
        checkUnsealed();
        ObjectView.checkPosition(id(), position);
    }

    private static ByteBuffer scratch(int length) {
        return ByteBuffer.allocate(length).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void write(long position, byte[] bytes) {
        put(position, bytes, 0, bytes.length);
    }

    /** {@return the object's id and size} */
    @Override
    public String toString() {
        return "writer of object " + ref + ", " + size + " bytes";
    }
}
