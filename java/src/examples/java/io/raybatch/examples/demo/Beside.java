package io.raybatch.examples.demo;

import io.raybatch.Batch;
import io.raybatch.BatchOptions;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * Serves small requests, one every few milliseconds, first alone and then beside the largest request, over and over, which does not
 * fit into memory and completes through files. The small ones' batches are latency-sensitive, so that nothing of them is ever written out,
 * and in a group of their own: where memory is short, what is left of it is theirs, for they are far below their fair share.
 */
final class Beside {

    private static final long EACH_NANOS = 10_000_000;
    private static final int LEAST = 300;
    /** How many different small requests there are. */
    private static final int SMALL = 50;
    /** A small one takes at most this part of memory. */
    private static final int PART = 16;

    private final Requests requests;
    private final long[] answer;
    private final int large;
    private final Requests small;
    private final long[][] answers;
    private final RayApi ray;

    private Beside(Requests requests, long[][] answers, Requests small, RayApi ray) {
        this.requests = requests;
        this.large = IntStream.range(0, requests.count()).boxed().max(Comparator.comparing(requests::size)).orElseThrow();
        this.answer = answers[large];
        this.small = small;
        this.answers = small.answers();
        this.ray = ray;
    }

    /**
     * Opens a store, serves both, closes the store.
     *
     * @param spill where batches go when memory is short
     * @return null where the largest request fits into memory, or the graph has no small ones
     * @throws IllegalStateException when an answer is wrong
     */
    static BesideResult run(Requests requests, long[][] answers, long storeBytes, Path spill) {
        if (requests.largestBytes() <= storeBytes) {
            return null;
        }
        Requests small = Requests.smallest(requests.graph(), SMALL, requests.seed());
        if (small.largestBytes() > storeBytes / PART) {
            return null;
        }
        RayConfig config = RayConfig.builder()
                .storeSize(storeBytes).warmReserve(storeBytes).preTouch(true).spillDirectory(spill).build();
        try (RayApi ray = RayApi.open(config)) {
            return new Beside(requests, answers, small, ray).serve();
        }
    }

    private BesideResult serve() {
        try (GraphRequest few = new GraphRequest(small.graph(), small.largest(), 1, () -> { });
                GraphRequest many = new GraphRequest(requests.graph(), requests.largest(), 1, () -> { })) {
            serveSmall(few, () -> true); // what is compiled by then is compiled for both
            double[] alone = serveSmall(few, () -> true);
            AtomicBoolean over = new AtomicBoolean();
            AtomicInteger served = new AtomicInteger();
            CompletableFuture<Double> took = new CompletableFuture<>();
            new Thread(() -> serveLarge(took, many, served, over), "large").start();
            double[] beside = serveSmall(few, () -> served.get() > 0 || took.isDone());
            over.set(true);
            return new BesideResult(small.largest(), alone, beside, requests.largest(), seconds(took), ray.stats().capacity(),
                    ray.stats().spillWritten() / Math.max(1, served.get()));
        }
    }

    private static double seconds(CompletableFuture<Double> took) {
        try {
            return took.join();
        } catch (CompletionException e) {
            throw e.getCause() instanceof RuntimeException cause ? cause : e;
        }
    }

    /** One after the other, until the small ones are over; how long one took, in seconds. */
    private void serveLarge(CompletableFuture<Double> took, GraphRequest many, AtomicInteger served, AtomicBoolean over) {
        BatchOptions options = BatchOptions.builder().group(ray.group("large")).name("large").build();
        long began = System.nanoTime();
        try {
            while (!over.get()) {
                serve(many, requests.start(large), answer, options);
                served.incrementAndGet();
            }
            took.complete((System.nanoTime() - began) / 1e9 / served.get());
        } catch (RuntimeException | Error e) {
            took.completeExceptionally(e);
        }
    }

    /** At least so many, and until it is enough; their latencies, ascending, each from when it was due. */
    private double[] serveSmall(GraphRequest few, BooleanSupplier enough) {
        BatchOptions options = BatchOptions.builder().group(ray.group("small")).name("small").latencySensitive().build();
        DoubleStream.Builder latencies = DoubleStream.builder();
        long due = System.nanoTime();
        for (int n = 0; n < LEAST || !enough.getAsBoolean(); n++) {
            while (System.nanoTime() < due) {
                LockSupport.parkNanos(due - System.nanoTime());
            }
            serve(few, small.start(n % SMALL), answers[n % SMALL], options);
            latencies.add((System.nanoTime() - due) / 1e6);
            due += EACH_NANOS;
        }
        return latencies.build().sorted().toArray();
    }

    private void serve(GraphRequest request, int start, long[] expected, BatchOptions options) {
        try (Batch batch = ray.startBatch(options)) {
            request.from(start).start(batch.id(), batch);
        }
        ray.delete(request.answer());
        if (!Arrays.equals(request.sum(), expected)) {
            throw new IllegalStateException("the request from node " + start + ": the answer from a store that spills is "
                    + Arrays.toString(request.sum()) + ", and must be " + Arrays.toString(expected));
        }
    }
}
