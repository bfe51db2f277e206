package io.raybatch.bench;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormat;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;

/** Has JMH measure a row in a JVM of its own. */
final class RowRunner {

    private static final double NANOS = 1e-6;
    private static final int LENGTHENED = 4;
    private static final int MOST_LENGTHENED = 16;
    private static final String COLLECTIONS = "gc.count";

    private final boolean quick;
    private final Jdk jdk;
    private final Jdk newer;
    private final OutputFormat log;

    RowRunner(boolean quick, Jdk jdk, Jdk newer, OutputFormat log) {
        this.quick = quick;
        this.jdk = jdk;
        this.newer = newer;
        this.log = log;
    }

    Measured run(Row row) throws RunnerException {
        boolean collects = row.work() == Work.PUT && List.of("heap", "caffeine").contains(row.subject());
        for (int times = collects ? LENGTHENED : 1; ; times *= 2) {
            List<IterationResult> iterations = iterations(row, times, collects);
            Map<String, Double> further = new LinkedHashMap<>();
            if (collects) {
                double[] collections = iterations.stream().mapToDouble(one -> secondary(one, COLLECTIONS)).toArray();
                // an iteration whose puts had no collection in them does not tell what putting costs
                if (Measured.quantile(collections, 0) < 1 && times < MOST_LENGTHENED) {
                    continue;
                }
                further.put("collections", Measured.quantile(collections, 0.5));
            }
            return measured(row, iterations, further);
        }
    }

    private static Measured measured(Row row, List<IterationResult> iterations, Map<String, Double> further) {
        double[] samples = iterations.stream().mapToDouble(one -> sample(row, one)).toArray();
        if (row.work() == Work.RELEASE || row.work() == Work.TASK_RELEASE) {
            further.put("total_ms", Measured.quantile(samples, 0.5) * row.count() * NANOS);
        }
        if (row.work() == Work.READER_P999) {
            further.put("quiet_ns", median(iterations, "first"));
            further.put("collecting_ns", median(iterations, "second"));
        }
        return Measured.of(row, samples, further);
    }

    private static double sample(Row row, IterationResult iteration) {
        double time = iteration.getPrimaryResult().getScore();
        return switch (row.work().kind()) {
            case TIME -> switch (row.work()) {
                case TINY_BATCH -> time;
                case PUT -> (time + secondary(iteration, "value") / secondary(iteration, "first")) / row.count();
                default -> time / row.count();
            };
            case SHOT -> time / row.count();
            case FIGURE -> secondary(iteration, "value");
        };
    }

    private static double median(List<IterationResult> iterations, String name) {
        return Measured.quantile(iterations.stream().mapToDouble(one -> secondary(one, name)).toArray(), 0.5);
    }

    private static double secondary(IterationResult iteration, String name) {
        Result<?> result = iteration.getSecondaryResults().get(name);
        if (result == null) {
            throw new IllegalStateException(name + " is not among " + iteration.getSecondaryResults().keySet());
        }
        return result.getScore();
    }

    private List<IterationResult> iterations(Row row, int times, boolean collects) throws RunnerException {
        Jdk on = row.newer() ? newer : jdk;
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include("^" + row.work().benchmark().getName().replace(".", "\\.") + "\\.")
                .param("subject", row.subject())
                .param("size", "" + row.size())
                .param("count", "" + row.count())
                .jvm(on.java())
                .jvmArgs(Launch.flags(row, on).toArray(String[]::new))
                .threads(1)
                .shouldFailOnError(true);
        switch (row.work()) {
            case PUT -> options.param("warm", "" + row.warm());
            case GET -> options.param("order", row.order());
            case CYCLE -> options.param("millis", quick ? "400" : "1000");
            case READER_P999 -> options.param("rounds", quick ? "1" : "5");
            case SCALING -> options.param("threads", "" + row.threads());
            default -> { }
        }
        if (collects) {
            options.addProfiler(GCProfiler.class);
        }
        repeat(options, row, times);
        Collection<RunResult> results = new Runner(options.build(), log).run();
        List<IterationResult> iterations = new ArrayList<>();
        results.stream()
                .map(RunResult::getBenchmarkResults)
                .flatMap(Collection::stream)
                .map(BenchmarkResult::getIterationResults)
                .flatMap(Collection::stream)
                .forEach(iterations::add);
        if (iterations.isEmpty()) {
            throw new RunnerException("no iteration of " + row.name() + " came to an end");
        }
        return iterations;
    }

    /** How often and how long. Rows of one kind are measured alike; those whose shot takes long are shot less often. */
    private void repeat(ChainedOptionsBuilder options, Row row, int times) {
        boolean large = (long) row.count() * row.size() > (600L << 20);
        int[] warmupAndMeasured = switch (row.work()) {
            case PUT, PUT_BULK, GET, TINY_BATCH, TASK_ROUND_TRIP -> quick ? new int[] {2, 3} : new int[] {3, 6};
            case CYCLE -> quick ? new int[] {1, 2} : new int[] {2, 4};
            case RELEASE -> large ? new int[] {2, quick ? 3 : 5} : quick ? new int[] {3, 5} : new int[] {4, 9};
            case TASK_RUN, TASK_RELEASE -> new int[] {3, quick ? 5 : 9};
            case SCALING -> quick ? new int[] {5, 9} : new int[] {6, 15};
            case READER_P999, MEMORY, LIVE_BATCHES -> new int[] {0, 1};
        };
        int forks = row.work() == Work.MEMORY || row.work() == Work.LIVE_BATCHES ? (quick ? 1 : 2) : 1;
        TimeValue time = TimeValue.milliseconds((quick ? 250L : 400L) * times);
        options.forks(forks)
                .warmupForks(0)
                .warmupIterations(warmupAndMeasured[0])
                .measurementIterations(warmupAndMeasured[1])
                .timeUnit(TimeUnit.NANOSECONDS);
        if (row.work().kind() == Work.Kind.TIME) {
            options.warmupTime(time).measurementTime(time);
        }
    }
}
