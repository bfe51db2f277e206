package io.raybatch.bench.subject;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.internal.PlatformDependent;

/**
 * Netty's pool of direct buffers, a buffer for each object. It has no bulk release: each buffer is released. Its leak
 * detector is off ({@code io.netty.leakDetection.level}), the rest is its default.
 */
final class NettySubject implements Subject {

    private final PooledByteBufAllocator pool = new PooledByteBufAllocator(PlatformDependent.directBufferPreferred());
    private ByteBuf[] buffers;

    @Override
    public void begin(int count, int size) {
        buffers = new ByteBuf[count];
    }

    @Override
    public void put(int number, byte[] bytes) {
        buffers[number] = pool.directBuffer(bytes.length, bytes.length).writeBytes(bytes);
    }

    @Override
    public int get(int number, byte[] into) {
        ByteBuf buffer = buffers[number];
        int size = buffer.readableBytes();
        buffer.getBytes(buffer.readerIndex(), into, 0, size);
        return size;
    }

    @Override
    public void releaseAll() {
        for (ByteBuf buffer : buffers) {
            buffer.release();
        }
        buffers = null;
    }

    @Override
    public long held() {
        return pool.metric().usedDirectMemory();
    }

    @Override
    public void close() {
        buffers = null;
    }
}
