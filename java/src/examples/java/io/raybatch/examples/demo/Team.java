package io.raybatch.examples.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Some threads, the caller's among them, that share pieces of work: whoever is free takes the next one. */
final class Team implements AutoCloseable {

    private final int size;
    private final ExecutorService others;

    Team(int size) {
        this.size = size;
        others = Executors.newFixedThreadPool(Math.max(1, size - 1), work -> {
            Thread thread = new Thread(work, "demo-worker");
            thread.setDaemon(true);
            return thread;
        });
    }

    /** Does one piece. */
    @FunctionalInterface
    interface Work {

        /** {@code worker} is below {@link Team#size}, and no two work at once under one number. */
        void piece(int worker, int piece);
    }

    int size() {
        return size;
    }

    /** Does the pieces {@code 0 … count - 1}; returns when all are done. */
    void each(int count, Work work) {
        AtomicInteger next = new AtomicInteger();
        List<Future<?>> helping = new ArrayList<>(size);
        for (int n = 1; n < Math.min(size, count); n++) {
            int worker = n;
            helping.add(others.submit(() -> take(next, count, worker, work)));
        }
        take(next, count, 0, work);
        for (Future<?> helper : helping) {
            try {
                helper.get();
            } catch (ExecutionException e) {
                throw e.getCause() instanceof RuntimeException cause ? cause : new IllegalStateException(e.getCause());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted while a request was served", e);
            }
        }
    }

    private static void take(AtomicInteger next, int count, int worker, Work work) {
        for (int piece = next.getAndIncrement(); piece < count; piece = next.getAndIncrement()) {
            work.piece(worker, piece);
        }
    }

    @Override
    public void close() {
        others.shutdown();
    }
}
