package io.raybatch.bench.work;

import io.raybatch.Batch;
import io.raybatch.ObjectSlots;
import io.raybatch.RayApi;
import io.raybatch.bench.subject.RaybatchSubject;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * What a live batch of a few small objects costs: growth of what is resident (shared memory included) and of the heap in use, bytes
 * per batch, while all of them live.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
public class LiveBatches {

    private static final int OBJECTS = 10;
    private static final long ROOM_EACH = 40 << 10;

    /** Of the row: raybatch's only. */
    @Param("raybatch-direct")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row: batches. */
    @Param("1000")
    public int count;

    /**
     * Starts them all and looks.
     *
     * @param figure takes the bytes
     */
    @Benchmark
    public void live(Figure figure) {
        byte[] bytes = Loops.payload(size);
        long store = count * ROOM_EACH + (64L << 20);
        try (RayApi ray = RaybatchSubject.open(subject.equals("raybatch-direct"), store, store)) {
            Batch[] batches = new Batch[count];
            fill(ray.startBatch(), bytes).close(); // what is loaded once is no batch's
            long before = ProcessMemory.resident() + ProcessMemory.heap();
            for (int n = 0; n < count; n++) {
                // beside each other, as those of many requests; not each within the one before
                ray.setCurrentBatch(0);
                batches[n] = fill(ray.startBatch(), bytes);
            }
            figure.value = (ProcessMemory.resident() + ProcessMemory.heap() - before) / (double) count;
            for (Batch batch : batches) {
                batch.close();
            }
        }
    }

    private static Batch fill(Batch batch, byte[] bytes) {
        ObjectSlots objects = batch.slots();
        for (int n = 0; n < OBJECTS; n++) {
            objects.put(bytes, 0, bytes.length);
        }
        return batch;
    }
}
