package io.raybatch.bench.work;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the process really has. The JVM is started with all of its heap touched: the heap is a constant part of what is
 * resident, so the rest of it grows by native memory, shared memory and files alone, and the heap is counted by what is in use.
 */
final class ProcessMemory {

    private ProcessMemory() {}

    /** {@return bytes resident: private memory, files and shared memory} */
    static long resident() {
        try {
            return Files.readAllLines(Path.of("/proc/self/status")).stream()
                    .filter(line -> line.startsWith("VmRSS:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                    .sum();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** {@return bytes of the JVM's heap that are in use, after a collection} */
    static long heap() {
        System.gc();
        System.gc(); // what the first one made collectable
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
