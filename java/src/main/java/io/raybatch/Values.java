package io.raybatch;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Java values to and from what the store holds: a kind, and a primitive array or a buffer. */
final class Values {

    private Values() {}

    /**
     * Puts a value into a batch, or into normal mode.
     *
     * @return as {@link Native#put}
     */
    static long put(long client, long batch, long life, Object value, Serializer serializer) {
        if (value instanceof byte[] bytes) {
            return Native.put(client, batch, life, bytes, 0, bytes.length, Native.KIND_BYTES);
        }
        if (value instanceof String text) {
            byte[] utf8 = utf8(text);
            return Native.put(client, batch, life, utf8, 0, utf8.length, Native.KIND_STRING);
        }
        if (value instanceof ByteBuffer buffer) {
            return putBuffer(client, batch, life, buffer);
        }
        if (value == null) {
            throw new InvalidArgumentException(
                    "null cannot be put: what get returns is always a value", ErrorDetails.NONE);
        }
        if (value.getClass().isArray() && value.getClass().getComponentType().isPrimitive()) {
            return putArray(client, batch, life, value);
        }
        if (value instanceof ObjectRef<?> ref) {
            throw new InvalidArgumentException(
                    "a reference cannot be put: put the value of object " + ref + ", or its id", ErrorDetails.of(ref.id()));
        }
        byte[] bytes = serialize(value, serializer);
        return Native.put(client, batch, life, bytes, 0, bytes.length, Native.KIND_SERIALIZED);
    }

    private static long putArray(long client, long batch, long life, Object array) {
        int kind;
        int length;
        if (array instanceof long[] a) {
            kind = Native.KIND_LONGS;
            length = a.length;
        } else if (array instanceof double[] a) {
            kind = Native.KIND_DOUBLES;
            length = a.length;
        } else if (array instanceof int[] a) {
            kind = Native.KIND_INTS;
            length = a.length;
        } else if (array instanceof float[] a) {
            kind = Native.KIND_FLOATS;
            length = a.length;
        } else if (array instanceof short[] a) {
            kind = Native.KIND_SHORTS;
            length = a.length;
        } else if (array instanceof char[] a) {
            kind = Native.KIND_CHARS;
            length = a.length;
        } else {
            kind = Native.KIND_BOOLEANS;
            length = ((boolean[]) array).length;
        }
        return Native.put(client, batch, life, array, 0, length, kind);
    }

    /** What remains in the buffer, whose position stays as it is. */
    private static long putBuffer(long client, long batch, long life, ByteBuffer buffer) {
        int length = buffer.remaining();
        if (buffer.isDirect()) {
            return Native.putDirect(client, batch, life, buffer, buffer.position(), length, Native.KIND_BUFFER);
        }
        if (buffer.hasArray()) {
            int offset = buffer.arrayOffset() + buffer.position();
            return Native.put(client, batch, life, buffer.array(), offset, length, Native.KIND_BUFFER);
        }
        byte[] copy = new byte[length];
        buffer.duplicate().get(copy);
        return Native.put(client, batch, life, copy, 0, length, Native.KIND_BUFFER);
    }

    /**
     * Text as UTF-8, which every reader of the arena understands.
     *
     * @throws InvalidArgumentException for a lone surrogate, which has no form in UTF-8
     */
    private static byte[] utf8(String text) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            boolean paired = Character.isHighSurrogate(c)
                    && i + 1 < text.length()
                    && Character.isLowSurrogate(text.charAt(i + 1));
            if (!paired) {
                throw new InvalidArgumentException(
                        "the string has a lone surrogate at index " + i
                                + " and therefore no form in UTF-8: put its toCharArray() instead",
                        ErrorDetails.NONE);
            }
            i++;
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] serialize(Object value, Serializer serializer) {
        byte[] bytes;
        try {
            bytes = serializer.serialize(value);
        } catch (RayException e) {
            throw e;
        } catch (Exception | StackOverflowError | LinkageError e) {
            throw failed("a " + value.getClass().getTypeName() + " cannot be written", serializer, e);
        }
        if (bytes == null) {
            throw failed("a " + value.getClass().getTypeName() + " became null", serializer, null);
        }
        return bytes;
    }

    /**
     * Gets a value.
     *
     * @return null when it is absent
     */
    static Object get(long client, long batch, long task, int index, Serializer serializer) {
        Object[] out = new Object[1];
        int kind = Native.get(client, batch, task, index, out);
        if (kind < 0) {
            return null;
        }
        return switch (kind) {
            case Native.KIND_STRING -> new String((byte[]) out[0], StandardCharsets.UTF_8);
            case Native.KIND_BUFFER -> ByteBuffer.wrap((byte[]) out[0]);
            case Native.KIND_SERIALIZED -> deserialize(new ObjectId(batch, task, index), (byte[]) out[0], serializer);
            default -> out[0];
        };
    }

    private static Object deserialize(ObjectId id, byte[] bytes, Serializer serializer) {
        Object value;
        try {
            value = serializer.deserialize(bytes);
        } catch (RayException e) {
            throw e;
        } catch (Exception | StackOverflowError | LinkageError e) {
            throw failed("object " + id + " cannot be read", serializer, e);
        }
        if (value == null) {
            throw failed("object " + id + " became null", serializer, null);
        }
        return value;
    }

    private static SerializationException failed(String what, Serializer serializer, Throwable cause) {
        String why = cause == null ? "" : ": " + cause;
        return new SerializationException(
                what + " by " + serializer.getClass().getSimpleName() + why, ErrorDetails.of(cause));
    }
}
