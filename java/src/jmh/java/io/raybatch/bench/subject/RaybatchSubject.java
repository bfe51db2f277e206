package io.raybatch.bench.subject;

import io.raybatch.Batch;
import io.raybatch.ObjectSlots;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;

/**
 * raybatch, a batch for each request, its objects named by slots. The store is as large as one request needs, and all of it is
 * warm reserve: nothing goes back to the system between requests. The rest is as users get it, leak detection included.
 */
public final class RaybatchSubject implements Subject {

    /** Of the store, beyond objects and index: what leases draw ahead, and room for the batch before to go. */
    private static final long SLACK = 64L << 20;

    private static final int ENTRY = 16;
    private static final int ALIGNMENT = 64;

    private final boolean direct;
    private RayApi ray;
    private Batch batch;
    private ObjectSlots objects;
    private long[] slots;

    private RaybatchSubject(boolean direct) {
        this.direct = direct;
    }

    /** {@return the JVM reading and writing the store's memory} */
    public static RaybatchSubject direct() {
        return new RaybatchSubject(true);
    }

    /** {@return a native call for each object} */
    public static RaybatchSubject jni() {
        return new RaybatchSubject(false);
    }

    /**
     * A client of a store of its own.
     *
     * @param direct whether the JVM reads and writes the store's memory
     * @param storeSize bytes
     * @param warmReserve bytes
     * @return to be closed
     */
    public static RayApi open(boolean direct, long storeSize, long warmReserve) {
        return RayApi.open(RayConfig.builder()
                .directAccess(direct)
                .storeSize(storeSize)
                .warmReserve(warmReserve)
                .build());
    }

    @Override
    public void begin(int count, int size) {
        if (ray == null) {
            long need = count * ((long) size + ENTRY + Math.min(size, ALIGNMENT));
            long store = need + need / 8 + SLACK;
            ray = open(direct, store, store);
        }
        slots = new long[count];
        batch = ray.startBatch();
        objects = batch.slots();
    }

    @Override
    public void put(int number, byte[] bytes) {
        slots[number] = objects.put(bytes, 0, bytes.length);
    }

    @Override
    public void putAll(int number, byte[] source, int size, int count) {
        objects.putAll(source, 0, size, count, slots, number);
    }

    @Override
    public int get(int number, byte[] into) {
        return objects.get(slots[number], into, 0, into.length);
    }

    @Override
    public void releaseAll() {
        batch.close();
    }

    /** Of the arena: objects, index, what is leased and not used yet. */
    @Override
    public long held() {
        return ray.stats().used();
    }

    @Override
    public void close() {
        if (ray != null) {
            ray.close();
        }
    }
}
