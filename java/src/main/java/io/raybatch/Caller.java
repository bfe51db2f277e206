package io.raybatch;

import java.nio.charset.StandardCharsets;
import java.util.AbstractMap.SimpleImmutableEntry;
import java.util.Map;

/** Who acts, for records and messages. */
final class Caller {

    /**
     * A thread's name and its UTF-8, made once: they are asked for with every batch. Of the JDK's types alone, since it stays with a
     * thread that outlives raybatch's class loader.
     */
    private static final ThreadLocal<Map.Entry<String, byte[]>> KNOWN = new ThreadLocal<>();

    private Caller() {}

    /** {@return the current thread's name; virtual threads mostly have none but a number} */
    static String name() {
        Thread thread = Thread.currentThread();
        String name = thread.getName();
        return name.isEmpty() ? thread.toString() : name;
    }

    /** {@return {@link #name} in UTF-8, not to be written to} */
    static byte[] utf8() {
        Map.Entry<String, byte[]> known = KNOWN.get();
        // a thread that was not renamed has the same String still
        if (known == null || known.getKey() != Thread.currentThread().getName()) {
            known = new SimpleImmutableEntry<>(Thread.currentThread().getName(), name().getBytes(StandardCharsets.UTF_8));
            KNOWN.set(known);
        }
        return known.getValue();
    }
}
