package io.raybatch.bench.subject;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;

/**
 * Arrow: a child allocator for each request, a buffer for each object. Closing an allocator that has buffers left is an error
 * (a leak, by Arrow's documentation): so each buffer is closed, then the allocator. Bounds checks and debugging are as
 * delivered.
 */
final class ArrowSubject implements Subject {

    private final RootAllocator root = new RootAllocator();
    private BufferAllocator request;
    private ArrowBuf[] buffers;

    @Override
    public void begin(int count, int size) {
        buffers = new ArrowBuf[count];
        request = root.newChildAllocator("request", 0, Long.MAX_VALUE);
    }

    @Override
    public void put(int number, byte[] bytes) {
        ArrowBuf buffer = request.buffer(bytes.length);
        buffer.writeBytes(bytes);
        buffers[number] = buffer;
    }

    @Override
    public int get(int number, byte[] into) {
        ArrowBuf buffer = buffers[number];
        int size = (int) buffer.readableBytes();
        buffer.getBytes(0, into, 0, size);
        return size;
    }

    @Override
    public void releaseAll() {
        for (ArrowBuf buffer : buffers) {
            buffer.close();
        }
        buffers = null;
        request.close();
    }

    @Override
    public void close() {
        root.close();
    }
}
