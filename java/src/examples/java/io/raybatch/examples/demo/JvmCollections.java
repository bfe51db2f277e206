package io.raybatch.examples.demo;

import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;

/**
 * The JVM's own collections since its start.
 *
 * @param count how many
 * @param millis their pauses together
 */
record JvmCollections(long count, long millis) {

    /** Up to now. */
    static JvmCollections now() {
        long count = 0;
        long millis = 0;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            // A concurrent phase pauses nobody; newer JVMs count it under a name of its own.
            if (!collector.getName().contains("Concurrent")) {
                count += Math.max(0, collector.getCollectionCount());
                millis += Math.max(0, collector.getCollectionTime());
            }
        }
        return new JvmCollections(count, millis);
    }

    JvmCollections since(JvmCollections earlier) {
        return new JvmCollections(count - earlier.count, millis - earlier.millis);
    }
}
