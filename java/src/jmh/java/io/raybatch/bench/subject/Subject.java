package io.raybatch.bench.subject;

/**
 * Something that holds many objects for the length of a request: begin, n puts, n gets, release all.
 *
 * <p>Each is used as its own documentation advises, and released in bulk where it can. All are measured by the same
 * loops. A put copies the caller's bytes, a get copies them out again; whatever names an object (an id, a reference, a
 * buffer) is kept by the subject, at the object's number, in an array that {@link #begin} makes.
 *
 * <p>{@link #put} and {@link #get} may be called by several threads at once, each with its own numbers.
 */
public interface Subject extends AutoCloseable {

    /** What {@link #held} answers when only the process as a whole can tell. */
    long BY_RESIDENT_MEMORY = -1;

    /**
     * Gets ready for objects, and keeps nothing of those before. The first call may open a store of that size; later ones
     * begin the next request.
     *
     * @param count how many there will be
     * @param size of each, in bytes
     */
    void begin(int count, int size);

    /**
     * Copies an object in.
     *
     * @param number 0 … count − 1, each once
     * @param bytes of it, all of them
     */
    void put(int number, byte[] bytes);

    /**
     * Copies many objects in that lie one after the other in an array, in one call. Only of those that have such a call.
     *
     * @param number of the first
     * @param source holds them from its first byte on
     * @param size of each
     * @param count how many
     */
    default void putAll(int number, byte[] source, int size, int count) {
        throw new UnsupportedOperationException(getClass().getSimpleName() + " has no bulk put");
    }

    /**
     * Copies an object out.
     *
     * @param number of it
     * @param into at least as long as the object
     * @return its size
     */
    int get(int number, byte[] into);

    /** Lets go of all objects since {@link #begin}. */
    void releaseAll();

    /** {@return bytes it holds outside of the Java heap, by its own books, or {@link #BY_RESIDENT_MEMORY}} */
    default long held() {
        return BY_RESIDENT_MEMORY;
    }

    /** {@return whether released objects take room until the JVM collects} */
    default boolean onHeap() {
        return false;
    }

    @Override
    void close();
}
