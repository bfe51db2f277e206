package io.raybatch.examples.soak;

import io.raybatch.ActorHandle;
import io.raybatch.Batch;
import io.raybatch.BatchOptions;
import io.raybatch.Checkpointable;
import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import io.raybatch.TaskException;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * A service under load for a while: requests with batches by id and by handle, nested ones, tasks, three actors that live as long as
 * the service, kept objects, timeouts, exceptions. Nothing of it may grow: the program prints a table, and fails when the store's
 * bytes, the process's memory, the heap or the threads of the last third exceed those between a sixth and a half of the time.
 *
 * <p>Medians are compared; at 1,800 seconds (minutes 5 to 15, and the last 10) 3 % more are allowed. What a JVM still warms up weighs more
 * in a shorter run: from 600 seconds on it is {@code 3 % × sqrt(1800 / seconds)}, below that 25 %; and always 2 MiB, or one thread.
 */
public final class Soak {

    private static final int SAMPLES = 60;
    private static final double FULL_SECONDS = 1800;
    private static final double TOLERANCE = 0.03;
    private static final double SHORT_TOLERANCE = 0.25;
    private static final int SHORT_SECONDS = 600;
    private static final long SLACK_BYTES = 2 << 20;
    private static final int LONG_ENOUGH = 30;

    /** Counts; lost with its instance. */
    public static class Counter {
        private int count;

        int increment() {
            return ++count;
        }
    }

    /** Counts, and can be saved. */
    public static final class SavedCounter extends Counter implements Checkpointable<Integer> {
        @Override
        public Integer save() {
            return super.count;
        }

        @Override
        public void restore(Integer state) {
            super.count = state;
        }
    }

    /** What is looked at, and how much more of it is always allowed. */
    private enum Figure {
        STORE(SLACK_BYTES),
        RESIDENT(SLACK_BYTES),
        HEAP(SLACK_BYTES),
        THREADS(1);

        private final long slack;

        Figure(long slack) {
            this.slack = slack;
        }
    }

    private record Sample(double second, long[] figures) {}

    private final RayApi ray;
    private final ActorHandle<Counter> plain;
    private final ActorHandle<SavedCounter> saved;
    private final ActorHandle<Counter> rebuilt;

    private Soak(RayApi ray) {
        this.ray = ray;
        this.plain = ray.actor(Counter::new).name("plain").remote();
        this.saved = ray.actor(SavedCounter::new).name("checkpointable").remote();
        this.rebuilt = ray.actor(Counter::new).name("declared fault tolerant").faultTolerant(true).remote();
    }

    /**
     * Runs it.
     *
     * @param arguments how many seconds, 30 or more
     * @throws Exception when a request fails; {@link IllegalStateException} when something grew
     */
    public static void main(String[] arguments) throws Exception {
        int seconds = Integer.parseInt(arguments[0]);
        if (seconds < LONG_ENOUGH) {
            throw new IllegalArgumentException(seconds + " seconds say nothing: " + LONG_ENOUGH + " or more");
        }
        List<Sample> samples;
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("256m").build())) {
            samples = new Soak(ray).serve(seconds);
        }
        judge(samples, seconds);
    }

    private List<Sample> serve(int seconds) throws Exception {
        List<Sample> samples = new ArrayList<>();
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try {
            System.out.printf(Locale.ROOT, "%8s %12s %12s %12s %12s %8s%n", "second", "requests", "store KiB", "rss KiB", "heap KiB", "threads");
            long begin = System.nanoTime();
            long requests = 0;
            for (double second = 0; second < seconds; second = (System.nanoTime() - begin) / 1e9) {
                long id = ++requests;
                Future<?> request = pool.submit(() -> request(id));
                try {
                    request.get();
                } catch (ExecutionException e) {
                    throw new IllegalStateException("request " + id + " failed", e.getCause());
                }
                if (second >= samples.size() * (double) seconds / SAMPLES) {
                    samples.add(sample(second, requests));
                }
            }
        } finally {
            pool.shutdown();
            pool.awaitTermination(1, TimeUnit.MINUTES);
        }
        return samples;
    }

    private void request(long id) {
        ray.startBatch(id);
        try {
            ray.put(new byte[200]);
            ray.task(Soak::square, 3).remote().get();
            plain.task(Counter::increment).remote().get();
            saved.task(SavedCounter::increment).remote().get();
            rebuilt.task(Counter::increment).remote().get();
        } finally {
            ray.endBatch(id, true);
        }
        BatchOptions options = BatchOptions.builder().timeout(Duration.ofSeconds(30)).maxBytes(1 << 20).build();
        try (Batch outer = ray.startBatch(options)) {
            ObjectRef<byte[]> kept = outer.put(new byte[100]);
            try (Batch inner = ray.startBatch()) {
                ObjectRef<Integer> result = inner.task(Soak::square, 4).remote();
                inner.keep(result);
                if (id % 7 == 0) {
                    failingTask(inner);
                }
            }
            ray.get(kept);
        }
    }

    private static void failingTask(Batch batch) {
        try {
            batch.task(Soak::fail).remote().get();
            throw new IllegalStateException("a task that throws succeeded");
        } catch (TaskException expected) {
            // as a service has some
        }
    }

    private static int square(int x) {
        return x * x;
    }

    private static int fail() {
        throw new IllegalArgumentException("of a bad request");
    }

    // ---- what is measured -----------------------------------------------------------------------------------------

    private Sample sample(double second, long requests) throws IOException {
        long[] figures = {ray.stats().used(), resident(), heap(), ManagementFactory.getThreadMXBean().getThreadCount()};
        System.out.printf(Locale.ROOT, "%8.1f %,12d %,12d %,12d %,12d %8d%n",
                second, requests, figures[0] >> 10, figures[1] >> 10, figures[2] >> 10, figures[3]);
        return new Sample(second, figures);
    }

    private static long resident() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmRSS:")) {
                return Long.parseLong(line.replaceAll("\\D+", "")) << 10;
            }
        }
        throw new IOException("/proc/self/status has no VmRSS");
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }

    private static void judge(List<Sample> samples, int seconds) {
        double tolerance = seconds < SHORT_SECONDS
                ? SHORT_TOLERANCE
                : TOLERANCE * Math.max(1, Math.sqrt(FULL_SECONDS / seconds));
        List<String> grown = new ArrayList<>();
        System.out.printf(Locale.ROOT, "%n%10s %16s %16s %8s  (at most %.1f %% more)%n", "", "1/6 to 1/2", "last third", "change", 100 * tolerance);
        for (Figure figure : Figure.values()) {
            long before = median(samples, figure, seconds / 6.0, seconds / 2.0);
            long after = median(samples, figure, seconds * 2 / 3.0, seconds);
            System.out.printf(Locale.ROOT, "%10s %,16d %,16d %+7.1f%%%n",
                    figure.name().toLowerCase(Locale.ROOT), before, after, 100.0 * (after - before) / before);
            if (after > before + Math.max(tolerance * before, figure.slack)) {
                grown.add(figure.name().toLowerCase(Locale.ROOT) + " from " + before + " to " + after);
            }
        }
        if (!grown.isEmpty()) {
            throw new IllegalStateException("it grows: " + String.join(", ", grown));
        }
    }

    private static long median(List<Sample> samples, Figure figure, double from, double to) {
        long[] sorted = samples.stream().filter(sample -> sample.second() >= from && sample.second() < to)
                .mapToLong(sample -> sample.figures()[figure.ordinal()]).sorted().toArray();
        if (sorted.length == 0) {
            throw new IllegalStateException("no sample between second " + from + " and " + to);
        }
        return sorted[sorted.length / 2];
    }
}
