package io.raybatch.bench.subject;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.Future;

/** The JDK's pool, asked directly or through {@link CompletableFuture}. Its requests do not end: the JVM collects. */
final class PoolTasks implements TaskSubject {

    private final boolean completable;
    private final ForkJoinPool pool = new ForkJoinPool(Runtime.getRuntime().availableProcessors());

    PoolTasks(boolean completable) {
        this.completable = completable;
    }

    private static Integer empty() {
        return 1;
    }

    private Future<Integer> submit() {
        return completable
                ? CompletableFuture.supplyAsync(PoolTasks::empty, pool)
                : pool.submit(PoolTasks::empty);
    }

    @Override
    public void begin(int count) {
        // nothing to prepare
    }

    @Override
    public int roundTrip() throws InterruptedException, ExecutionException {
        return submit().get();
    }

    @Override
    public long runAll(int count) throws InterruptedException, ExecutionException {
        List<Future<Integer>> results = new ArrayList<>(count);
        for (int number = 0; number < count; number++) {
            results.add(submit());
        }
        long sum = 0;
        for (Future<Integer> result : results) {
            sum += result.get();
        }
        return sum;
    }

    @Override
    public void releaseAll() {
        // they become garbage
    }

    @Override
    public void close() {
        pool.shutdownNow();
    }
}
