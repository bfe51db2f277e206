package io.raybatch;

import java.io.InputStream;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;

/**
 * A sealed object, read where it lies. As long as the view is open the object cannot be evicted, and its memory is
 * nobody else's, even when it is deleted or its batch collected meanwhile; so close it soon.
 *
 * <p>Positions count bytes from 0; one outside of the object is an {@link ObjectBoundsException}. After
 * {@link #close()} everything but {@link #id()}, {@link #size()} and buffers is a {@link RayClosedException}. Safe for
 * many threads.
 */
public final class ObjectView implements AutoCloseable {

    /** The longest array that every JVM gives. */
    private static final int LONGEST_ARRAY = Integer.MAX_VALUE - 8;

    private final long client;
    private final long view;
    private final ObjectId id;
    private final long size;
    private final int metadataSize;
    private final ObjectKind kind;
    private final Cleaner.Cleanable release;

    /** {@code opened} as {@link Native#read} returns it. */
    ObjectView(long client, ObjectId id, long[] opened) {
        this.client = client;
        this.view = opened[0];
        this.id = id;
        this.size = opened[1];
        this.metadataSize = Math.toIntExact(opened[2]);
        this.kind = ObjectKind.of(opened[3]);
        this.release = Cleaners.register(this, new Release(client, view));
    }

    /** Not a lambda in the constructor, which could get hold of {@code this}. */
    private record Release(long client, long view) implements Runnable {
        @Override
        public void run() {
            try {
                Native.viewRelease(client, view);
            } catch (RayClosedException releasedWithTheClient) {
                // nothing is left to give back
            }
        }
    }

    /** {@return the object's id} */
    public ObjectId id() {
        return id;
    }

    /** {@return bytes of data} */
    public long size() {
        return size;
    }

    /** {@return what the data is} */
    public ObjectKind kind() {
        return kind;
    }

    /** {@return a copy of the metadata; empty if there is none} */
    public byte[] metadata() {
        byte[] copy = new byte[metadataSize];
        read(true, 0, copy, 0, metadataSize);
        return copy;
    }

    /** {@return bytes of metadata} */
    public int metadataSize() {
        return metadataSize;
    }

    /**
     * Reads a byte.
     *
     * @param position of it
     * @return its value
     */
    public byte get(long position) {
        return scratch(position, 1).get();
    }

    /**
     * Reads a short, little-endian.
     *
     * @param position of its first byte
     * @return its value
     */
    public short getShort(long position) {
        return scratch(position, Short.BYTES).getShort();
    }

    /**
     * Reads a int, little-endian.
     *
     * @param position of its first byte
     * @return its value
     */
    public int getInt(long position) {
        return scratch(position, Integer.BYTES).getInt();
    }

    /**
     * Reads a long, little-endian.
     *
     * @param position of its first byte
     * @return its value
     */
    public long getLong(long position) {
        return scratch(position, Long.BYTES).getLong();
    }

    /**
     * Reads a float, little-endian.
     *
     * @param position of its first byte
     * @return its value
     */
    public float getFloat(long position) {
        return scratch(position, Float.BYTES).getFloat();
    }

    /**
     * Reads a double, little-endian.
     *
     * @param position of its first byte
     * @return its value
     */
    public double getDouble(long position) {
        return scratch(position, Double.BYTES).getDouble();
    }

    /**
     * Copies bytes out.
     *
     * @param position of the first in the object
     * @param target takes them
     * @param offset of the first in {@code target}
     * @param length how many
     */
    public void copyTo(long position, byte[] target, int offset, int length) {
        read(false, position, target, offset, length);
    }

    /**
     * Copies bytes out, as many as remain in a buffer, whose position moves by that.
     *
     * @param position of the first in the object
     * @param target takes them; heap or direct
     */
    public void copyTo(long position, ByteBuffer target) {
        int length = target.remaining();
        if (target.isReadOnly()) {
            throw new InvalidArgumentException("the buffer is read-only", ErrorDetails.of(id));
        }
        if (target.isDirect()) {
            checkPosition(id, position);
            try {
                Native.viewGetDirect(client, view, false, position, target, target.position(), length);
            } finally {
                Reference.reachabilityFence(this);
            }
        } else {
            read(false, position, target.array(), target.arrayOffset() + target.position(), length);
        }
        target.position(target.position() + length);
    }

    /**
     * Copies the data.
     *
     * @return a copy of it
     * @throws ObjectBoundsException for an object that is longer than an array may be; read it in parts
     */
    public byte[] toByteArray() {
        byte[] copy = new byte[arrayLength()];
        read(false, 0, copy, 0, copy.length);
        return copy;
    }

    /** {@return the data as a stream, from position 0; closing it does not close the view} */
    public InputStream inputStream() {
        return new ObjectStreams.Input(this);
    }

    /** {@return the data as a channel, from position 0; closing it does not close the view} */
    public ReadableByteChannel channel() {
        return new ObjectStreams.Source(this);
    }

    /**
     * The data where it lies, without a copy. The memory is not reused until the buffer and all that was made from it
     * are unreachable, whatever happens to the view, the object, the batch or the client meanwhile: a buffer that is
     * held holds memory. Once the store is closed it reads as zero.
     *
     * @return a direct, read-only buffer, big-endian as buffers are at first
     */
    public ByteBuffer asByteBuffer() {
        long[] hold = new long[1];
        try {
            ByteBuffer original = Native.viewBuffer(client, view, hold);
            return Cleaners.releaseWithBuffer(original, hold[0]).asReadOnlyBuffer();
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /** Lets go of the object. Idempotent. A view that is unreachable is closed, too. */
    @Override
    public void close() {
        release.clean();
    }

    /** One that is negative has no form on the native side, which checks all others. */
    static void checkPosition(ObjectId id, long position) {
        if (position < 0) {
            throw new ObjectBoundsException(
                    "position " + position + " of object " + id + " is negative", ErrorDetails.of(id));
        }
    }

    /** Looked at before there is an array: a length that no JVM gives would be an error of the machine's. */
    private int arrayLength() {
        if (size > LONGEST_ARRAY) {
            throw new ObjectBoundsException(
                    "object " + id + " has " + size + " bytes, and an array at most " + LONGEST_ARRAY + ": read it in parts",
                    ErrorDetails.of(id));
        }
        return (int) size;
    }

    private ByteBuffer scratch(long position, int length) {
        byte[] bytes = new byte[length];
        read(false, position, bytes, 0, length);
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void read(boolean metadata, long position, byte[] target, int offset, int length) {
        checkPosition(id, position);
        try {
            Native.viewGet(client, view, metadata, position, target, offset, length);
        } finally {
            // else the view could be released between its handle being read and being used
            Reference.reachabilityFence(this);
        }
    }

    /** {@return the object's id and size} */
    @Override
    public String toString() {
        return "view of object " + id + ", " + size + " bytes";
    }
}
