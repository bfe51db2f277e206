package io.raybatch;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Java values to and from what the store holds: a kind, and a primitive array or a buffer. */
final class Values {

    private Values() {}

    /**
     * Puts a value into a batch, or into normal mode.
     *
     * @param scope null for normal mode
     * @return as {@link Native#put}
     */
    static long put(long client, BatchScope scope, Object value, Serializer serializer) {
        if (value instanceof byte[] bytes) {
            return put(client, scope, bytes, 0, bytes.length, Native.KIND_BYTES);
        }
        if (value instanceof String text) {
            byte[] utf8 = utf8(text);
            return put(client, scope, utf8, 0, utf8.length, Native.KIND_STRING);
        }
        if (value instanceof ByteBuffer buffer) {
            return putBuffer(client, scope, buffer);
        }
        if (value == null) {
            throw new InvalidArgumentException(
                    "null cannot be put: what get returns is always a value", ErrorDetails.NONE);
        }
        if (value.getClass().isArray() && value.getClass().getComponentType().isPrimitive()) {
            return putArray(client, scope, value);
        }
        if (value instanceof ObjectRef<?> ref) {
            throw new InvalidArgumentException(
                    "a reference cannot be put: put the value of object " + ref + ", or its id", ErrorDetails.of(ref.id()));
        }
        byte[] bytes = serialize(value, serializer);
        return put(client, scope, bytes, 0, bytes.length, Native.KIND_SERIALIZED);
    }

    private static long put(long client, BatchScope scope, byte[] bytes, int offset, int length, int kind) {
        return scope == null
                ? Native.put(client, 0, 0, bytes, offset, length, kind, MappedRegion.thread())
                : scope.put(bytes, offset, length, kind);
    }

    private static long idOf(BatchScope scope) {
        return scope == null ? 0 : scope.id();
    }

    private static long lifeOf(BatchScope scope) {
        return scope == null ? 0 : scope.life();
    }

    private static long putArray(long client, BatchScope scope, Object array) {
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
        return Native.put(client, idOf(scope), lifeOf(scope), array, 0, length, kind, MappedRegion.thread());
    }

    /** What remains in the buffer, whose position stays as it is. */
    private static long putBuffer(long client, BatchScope scope, ByteBuffer buffer) {
        int length = buffer.remaining();
        if (buffer.isDirect()) {
            return Native.putDirect(
                    client, idOf(scope), lifeOf(scope), buffer, buffer.position(), length, Native.KIND_BUFFER);
        }
        if (buffer.hasArray()) {
            int offset = buffer.arrayOffset() + buffer.position();
            return put(client, scope, buffer.array(), offset, length, Native.KIND_BUFFER);
        }
        byte[] copy = new byte[length];
        buffer.duplicate().get(copy);
        return put(client, scope, copy, 0, length, Native.KIND_BUFFER);
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
    static Object get(long client, ObjectRef<?> ref, Serializer serializer) {
        BatchScope maker = ref.maker();
        if (maker != null && maker.region() != null && maker.ray().client() == client) {
            MappedRegion.Found found = maker.region().get(ref.task() + ref.index() - maker.life(), ref.index());
            if (found != null) {
                return value(found.kind(), found.bytes(), ref, serializer);
            }
        }
        Object[] out = new Object[1];
        int kind = Native.get(client, ref.batchId(), ref.task(), ref.index(), out);
        return kind < 0 ? null : value(kind, out[0], ref, serializer);
    }

    private static Object value(int kind, Object array, ObjectRef<?> ref, Serializer serializer) {
        return switch (kind) {
            case Native.KIND_STRING -> new String((byte[]) array, StandardCharsets.UTF_8);
            case Native.KIND_BUFFER -> ByteBuffer.wrap((byte[]) array);
            case Native.KIND_SERIALIZED -> deserialize(ref.id(), (byte[]) array, serializer);
            default -> array;
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
