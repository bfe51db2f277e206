package io.raybatch;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Java values to and from what the store holds: a kind, and a primitive array or a buffer. */
final class Values {

    /** There is no value, as opposed to one that is null. */
    static final Object ABSENT = new Object();

    private static final Encoded NULL = new Encoded(new byte[0], 0, 0, Native.KIND_NULL);

    private Values() {}

    /** A value on its way into the store: a primitive array, or a part of a {@code byte[]}, and its kind. */
    record Encoded(Object array, int offset, int length, int kind) {}

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
        Encoded e = encodeOther(value, serializer);
        if (e.array instanceof byte[] bytes) {
            return put(client, scope, bytes, e.offset, e.length, e.kind);
        }
        return Native.put(client, idOf(scope), lifeOf(scope), e.array, 0, e.length, e.kind, MappedRegion.thread());
    }

    /** A value that is to be put, if it can be. */
    static <T> T forPut(T value) {
        if (value == null) {
            throw new InvalidArgumentException("null cannot be put: only a task's result can be null", ErrorDetails.NONE);
        }
        if (value instanceof ObjectRef<?> ref) {
            throw new InvalidArgumentException(
                    "a reference cannot be put: put the value of object " + ref + ", or its id", ErrorDetails.of(ref.id()));
        }
        if (value instanceof Batch || value instanceof RayApi || value instanceof ObjectWriter || value instanceof ObjectView) {
            throw new InvalidArgumentException(
                    "a " + value.getClass().getSimpleName() + " is a handle of this process and cannot be put: put what names it, such as"
                            + " a batch's id", ErrorDetails.NONE);
        }
        return value;
    }

    /** What the store holds for a value, which may be null. */
    static Encoded encode(Object value, Serializer serializer) {
        if (value == null) {
            return NULL;
        }
        if (value instanceof byte[] bytes) {
            return new Encoded(bytes, 0, bytes.length, Native.KIND_BYTES);
        }
        if (value instanceof String text) {
            byte[] utf8 = utf8(text);
            return new Encoded(utf8, 0, utf8.length, Native.KIND_STRING);
        }
        if (value instanceof ByteBuffer buffer) {
            if (buffer.hasArray()) {
                int offset = buffer.arrayOffset() + buffer.position();
                return new Encoded(buffer.array(), offset, buffer.remaining(), kindOf(buffer));
            }
            byte[] copy = new byte[buffer.remaining()];
            buffer.duplicate().get(copy);
            return new Encoded(copy, 0, copy.length, kindOf(buffer));
        }
        return encodeOther(value, serializer);
    }

    /** As {@link #encode}, never as an array of another type. */
    static Encoded encodeAsBytes(Object value, Serializer serializer) {
        Encoded e = encode(value, serializer);
        if (e.array instanceof byte[]) {
            return e;
        }
        byte[] bytes = serialize(value, serializer);
        return new Encoded(bytes, 0, bytes.length, Native.KIND_SERIALIZED);
    }

    private static Encoded encodeOther(Object value, Serializer serializer) {
        Class<?> type = value.getClass();
        if (type.isArray() && type.getComponentType().isPrimitive()) {
            return encodeArray(value);
        }
        byte[] bytes = serialize(value, serializer);
        return new Encoded(bytes, 0, bytes.length, Native.KIND_SERIALIZED);
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

    private static Encoded encodeArray(Object array) {
        if (array instanceof long[] a) {
            return new Encoded(a, 0, a.length, Native.KIND_LONGS);
        } else if (array instanceof double[] a) {
            return new Encoded(a, 0, a.length, Native.KIND_DOUBLES);
        } else if (array instanceof int[] a) {
            return new Encoded(a, 0, a.length, Native.KIND_INTS);
        } else if (array instanceof float[] a) {
            return new Encoded(a, 0, a.length, Native.KIND_FLOATS);
        } else if (array instanceof short[] a) {
            return new Encoded(a, 0, a.length, Native.KIND_SHORTS);
        } else if (array instanceof char[] a) {
            return new Encoded(a, 0, a.length, Native.KIND_CHARS);
        }
        return new Encoded(array, 0, ((boolean[]) array).length, Native.KIND_BOOLEANS);
    }

    /** What remains in the buffer, whose position stays as it is. */
    private static long putBuffer(long client, BatchScope scope, ByteBuffer buffer) {
        int length = buffer.remaining();
        if (buffer.isDirect()) {
            return Native.putDirect(
                    client, idOf(scope), lifeOf(scope), buffer, buffer.position(), length, kindOf(buffer));
        }
        if (buffer.hasArray()) {
            int offset = buffer.arrayOffset() + buffer.position();
            return put(client, scope, buffer.array(), offset, length, kindOf(buffer));
        }
        byte[] copy = new byte[length];
        buffer.duplicate().get(copy);
        return put(client, scope, copy, 0, length, kindOf(buffer));
    }

    private static int kindOf(ByteBuffer buffer) {
        return buffer.order() == ByteOrder.BIG_ENDIAN ? Native.KIND_BUFFER : Native.KIND_LITTLE_ENDIAN_BUFFER;
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
     * @return {@link #ABSENT} when there is none; a {@link Failures.Failure} where a task failed
     */
    static Object get(RayApi ray, ObjectRef<?> ref) {
        BatchScope maker = ref.maker();
        MappedRegion region = maker == null || maker.ray() != ray ? null : maker.region();
        long base = region == null ? 0 : maker.life();
        return get(ray, region, base, ref.batchId(), ref.task(), ref.index());
    }

    /**
     * As {@link #get(RayApi, ObjectRef)}.
     *
     * @param region where it may be, its slots counted from {@code base}; or null
     */
    static Object get(RayApi ray, MappedRegion region, long base, long batch, long task, int index) {
        if (region != null) {
            MappedRegion.Found found = region.get(task + index - base, index);
            if (found != null) {
                return of(ray, found.kind(), found.bytes(), batch, task, index);
            }
        }
        Object[] out = new Object[1];
        int kind = Native.get(ray.client(), batch, task, index, out);
        return kind < 0 ? ABSENT : of(ray, kind, out[0], batch, task, index);
    }

    /** The value of an object's bytes. */
    static Object of(RayApi ray, int kind, Object array, ObjectId id) {
        return of(ray, kind, array, id.batch(), id.task(), id.index());
    }

    private static Object of(RayApi ray, int kind, Object array, long batch, long task, int index) {
        return switch (kind) {
            case Native.KIND_STRING -> new String((byte[]) array, StandardCharsets.UTF_8);
            case Native.KIND_BUFFER -> ByteBuffer.wrap((byte[]) array);
            case Native.KIND_LITTLE_ENDIAN_BUFFER -> ByteBuffer.wrap((byte[]) array).order(ByteOrder.LITTLE_ENDIAN);
            case Native.KIND_SERIALIZED -> deserialize(ray, new ObjectId(batch, task, index), (byte[]) array);
            case Native.KIND_NULL -> null;
            case Native.KIND_FAILURE -> new Failures.Failure(SpareFailures.better(ray, (byte[]) array, batch, task));
            default -> array;
        };
    }

    private static Object deserialize(RayApi ray, ObjectId id, byte[] bytes) {
        Serializer serializer = ray.config().serializer();
        Object value;
        try {
            value = Handles.read(ray, bytes);
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
