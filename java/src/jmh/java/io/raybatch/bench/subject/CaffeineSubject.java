package io.raybatch.bench.subject;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;

/** Caffeine without a bound, from number to a copy on the heap; {@code invalidateAll} is the bulk release. */
final class CaffeineSubject implements Subject {

    private Cache<Integer, byte[]> cache;

    @Override
    public void begin(int count, int size) {
        if (cache == null) {
            cache = Caffeine.newBuilder().initialCapacity(count).build();
        }
    }

    @Override
    public void put(int number, byte[] bytes) {
        cache.put(number, bytes.clone());
    }

    @Override
    public int get(int number, byte[] into) {
        byte[] object = cache.getIfPresent(number);
        System.arraycopy(object, 0, into, 0, object.length);
        return object.length;
    }

    @Override
    public void releaseAll() {
        cache.invalidateAll();
    }

    @Override
    public long held() {
        return 0;
    }

    @Override
    public boolean onHeap() {
        return true;
    }

    @Override
    public void close() {
        cache = null;
    }
}
