package io.raybatch;

/**
 * Writes values that are neither arrays nor text nor buffers, and reads them again. Implementations are safe for many
 * threads at once.
 */
public interface Serializer {

    /**
     * Writes a value.
     *
     * @param value not null
     * @return its bytes
     * @throws Exception becomes the cause of a {@link SerializationException}
     */
    byte[] serialize(Object value) throws Exception;

    /**
     * Reads a value.
     *
     * @param bytes as {@link #serialize} wrote them
     * @return the value, not null
     * @throws Exception becomes the cause of a {@link SerializationException}
     */
    Object deserialize(byte[] bytes) throws Exception;

    /**
     * The default: Apache Fory, for any class, without registration. What it writes is read as an equal value, or is refused
     * when it is written. Classes are found by the context class loader of the thread that reads, then by that of raybatch, then
     * by that of the writer. Graphs may be 10,000 levels deep at least.
     *
     * <p>A serializer that reads any class is dangerous where others can choose the bytes. Here they cannot: only what
     * {@code put} wrote through a serializer is ever read through one, bytes put as bytes never are, and the arena is
     * private to the process or a file of mode 0600, whose owner could do anything to the process anyway. Where the
     * arena is to be shared with somebody trusted less, use {@link #fory(Class, Class...)}.
     *
     * <p>From JDK 24 on Fory's first use makes the JVM warn of {@code sun.misc.Unsafe}, unless it is started with
     * {@code --add-opens=java.base/java.lang.invoke=ALL-UNNAMED} (or {@code =org.apache.fory.core} where modules are
     * used).
     *
     * @return a serializer
     */
    static Serializer fory() {
        return ForySerializer.open();
    }

    /**
     * Apache Fory, for the classes given, those of the JDK that Fory knows, and no others. Both sides have to name the
     * same classes in the same order. A class that is missing is named by the exception.
     *
     * @param first a class
     * @param more further ones
     * @return a serializer
     */
    static Serializer fory(Class<?> first, Class<?>... more) {
        return ForySerializer.registered(first, more);
    }
}
