package io.raybatch;

import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.UUID;

/**
 * Names an object: 160 bits, 20 bytes in network order, 40 hex digits as text.
 *
 * <pre>
 *  byte  0        7 8        15 16    19
 *       +----------+-----------+--------+
 *       |  batch   |   task    | index  |
 *       +----------+-----------+--------+
 * </pre>
 *
 * <p>Ids order as their bytes do, unsigned. An id says nothing of whether its object is there.
 *
 * @param batch the batch it was made in; 0 is normal mode. It stays when another batch keeps the object
 * @param task the making task's own bits
 * @param index which of the task's objects, unsigned
 */
public record ObjectId(long batch, long task, int index) implements Comparable<ObjectId> {

    /** Bytes of an id. */
    public static final int BYTES = 20;

    /** Hex digits of an id. */
    public static final int DIGITS = 2 * BYTES;

    /**
     * Reads an id from its bytes.
     *
     * @param bytes 20 bytes
     * @return the id
     * @throws InvalidArgumentException for any other number of bytes
     */
    public static ObjectId of(byte[] bytes) {
        if (bytes.length != BYTES) {
            throw new InvalidArgumentException(
                    "an object id has " + BYTES + " bytes, not " + bytes.length, ErrorDetails.NONE);
        }
        return at(bytes, 0);
    }

    /**
     * Reads an id from text, as {@link #toString} writes it.
     *
     * @param hex 40 hex digits, in either case
     * @return the id
     * @throws InvalidArgumentException for any other text
     */
    public static ObjectId parse(String hex) {
        if (hex.length() == DIGITS) {
            try {
                return at(HexFormat.of().parseHex(hex), 0);
            } catch (IllegalArgumentException notHex) {
                // as for any other text
            }
        }
        throw new InvalidArgumentException(
                "an object id is " + DIGITS + " hex digits, not \"" + hex + "\"", ErrorDetails.NONE);
    }

    /** {@return a random id of normal mode, for {@link RayApi#create(ObjectId, long)}} */
    public static ObjectId random() {
        UUID bits = UUID.randomUUID();
        return new ObjectId(0, bits.getLeastSignificantBits(), (int) (bits.getMostSignificantBits() >>> 32));
    }

    /** {@return the 20 bytes, in network order} */
    public byte[] toBytes() {
        byte[] bytes = new byte[BYTES];
        copyTo(bytes, 0);
        return bytes;
    }

    static ObjectId at(byte[] bytes, int offset) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, BYTES);
        return new ObjectId(buffer.getLong(), buffer.getLong(), buffer.getInt());
    }

    void copyTo(byte[] bytes, int offset) {
        ByteBuffer.wrap(bytes, offset, BYTES).putLong(batch).putLong(task).putInt(index);
    }

    @Override
    public int compareTo(ObjectId other) {
        int order = Long.compareUnsigned(batch, other.batch);
        if (order == 0) {
            order = Long.compareUnsigned(task, other.task);
        }
        return order == 0 ? Integer.compareUnsigned(index, other.index) : order;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ObjectId id && batch == id.batch && task == id.task && index == id.index;
    }

    @Override
    public int hashCode() {
        return (31 * Long.hashCode(batch) + Long.hashCode(task)) * 31 + index;
    }

    /** {@return 40 hex digits} */
    @Override
    public String toString() {
        return HexFormat.of().formatHex(toBytes());
    }
}
