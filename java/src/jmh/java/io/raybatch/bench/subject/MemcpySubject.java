package io.raybatch.bench.subject;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The floor: each object has its place in memory from the start, a put is the copy to it and nothing else. Warm: a direct
 * buffer. Cold: pages of a file in memory that nobody has touched, as a store's arena is at first.
 */
final class MemcpySubject implements Subject {

    private static final Path MEMORY = Path.of("/dev/shm");

    private final boolean cold;
    private ByteBuffer memory;
    private int size;

    MemcpySubject(boolean cold) {
        this.cold = cold;
    }

    @Override
    public void begin(int count, int size) {
        if (memory == null) {
            this.size = size;
            int bytes = Math.multiplyExact(count, size);
            memory = cold ? untouched(bytes) : ByteBuffer.allocateDirect(bytes);
        }
    }

    private static ByteBuffer untouched(int bytes) {
        try {
            Path file = Files.createTempFile(MEMORY, "memcpy", "");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                return channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes);
            } finally {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void put(int number, byte[] bytes) {
        memory.put(number * size, bytes, 0, bytes.length);
    }

    @Override
    public void putAll(int number, byte[] source, int size, int count) {
        memory.put(number * size, source, 0, count * size);
    }

    @Override
    public int get(int number, byte[] into) {
        memory.get(number * size, into, 0, size);
        return size;
    }

    @Override
    public void releaseAll() {
        // the places stay
    }

    @Override
    public void close() {
        memory = null;
    }
}
