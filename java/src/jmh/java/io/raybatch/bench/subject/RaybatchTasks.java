package io.raybatch.bench.subject;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import java.util.ArrayList;
import java.util.List;

/** raybatch, a batch for each request. */
final class RaybatchTasks implements TaskSubject {

    private static final long STORE = 1L << 30;

    private final RayApi ray = RaybatchSubject.open(true, STORE, STORE);
    private Batch batch;

    private static Integer empty() {
        return 1;
    }

    @Override
    public void begin(int count) {
        batch = ray.startBatch();
    }

    @Override
    public int roundTrip() {
        return batch.get(batch.task(RaybatchTasks::empty).remote());
    }

    @Override
    public long runAll(int count) {
        List<ObjectRef<Integer>> results = new ArrayList<>(count);
        for (int number = 0; number < count; number++) {
            results.add(batch.task(RaybatchTasks::empty).remote());
        }
        long sum = 0;
        for (ObjectRef<Integer> result : results) {
            sum += batch.get(result);
        }
        return sum;
    }

    @Override
    public void releaseAll() {
        batch.close();
    }

    @Override
    public void close() {
        ray.close();
    }
}
