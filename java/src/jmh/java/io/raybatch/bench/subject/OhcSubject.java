package io.raybatch.bench.subject;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import org.caffinitas.ohc.CacheSerializer;
import org.caffinitas.ohc.DirectValueAccess;
import org.caffinitas.ohc.OHCache;
import org.caffinitas.ohc.OHCacheBuilder;

/**
 * OHC, the cache outside of the heap that Cassandra used, from number to bytes: hash tables as large as the objects need from the
 * start, room for all so that nothing is evicted, {@code clear} as the bulk release. Of its two implementations, small objects
 * are in the <em>chunked</em> one, which is meant for them and clears whole chunks; others in the <em>linked</em> one, an allocation
 * for each, which can be read in place ({@code getDirect}).
 */
final class OhcSubject implements Subject {

    private static final int SMALL = 1024;
    private static final int MOST_CHUNK = 1 << 20;
    private static final int CHUNKS = 8;

    /** Header, key, and what an allocator adds. */
    private static final long OVERHEAD = 128;

    private static final CacheSerializer<Integer> NUMBERS = new CacheSerializer<>() {
        @Override
        public void serialize(Integer number, ByteBuffer target) {
            target.putInt(number);
        }

        @Override
        public Integer deserialize(ByteBuffer source) {
            return source.getInt();
        }

        @Override
        public int serializedSize(Integer number) {
            return Integer.BYTES;
        }
    };

    private static final CacheSerializer<byte[]> BYTES = new CacheSerializer<>() {
        @Override
        public void serialize(byte[] bytes, ByteBuffer target) {
            target.put(bytes);
        }

        @Override
        public byte[] deserialize(ByteBuffer source) {
            byte[] bytes = new byte[source.remaining()];
            source.get(bytes);
            return bytes;
        }

        @Override
        public int serializedSize(byte[] bytes) {
            return bytes.length;
        }
    };

    private OHCache<Integer, byte[]> cache;
    private boolean chunked;

    @Override
    public void begin(int count, int size) {
        if (cache == null) {
            int segments = 2 * Runtime.getRuntime().availableProcessors();
            // twice what is needed: entries are not spread evenly over segments, and a full one evicts
            long capacity = 2 * count * (size + OVERHEAD) + segments * (size + OVERHEAD);
            chunked = size < SMALL;
            cache = OHCacheBuilder.<Integer, byte[]>newBuilder()
                    .keySerializer(NUMBERS)
                    .valueSerializer(BYTES)
                    .hashTableSize(Math.max(8192, Integer.highestOneBit(2 * count / segments)))
                    .capacity(capacity)
                    .chunkSize(chunked ? (int) Math.min(MOST_CHUNK, capacity / segments / CHUNKS) : 0)
                    .throwOOME(true)
                    .build();
        }
    }

    @Override
    public void put(int number, byte[] bytes) {
        cache.put(number, bytes);
    }

    @Override
    public int get(int number, byte[] into) {
        if (chunked) {
            byte[] bytes = cache.get(number);
            System.arraycopy(bytes, 0, into, 0, bytes.length);
            return bytes.length;
        }
        try (DirectValueAccess value = cache.getDirect(number)) {
            ByteBuffer bytes = value.buffer();
            int size = bytes.remaining();
            bytes.get(into, 0, size);
            return size;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void releaseAll() {
        cache.clear();
    }

    @Override
    public void close() {
        if (cache != null) {
            try {
                cache.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
