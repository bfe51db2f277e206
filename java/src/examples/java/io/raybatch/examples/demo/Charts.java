package io.raybatch.examples.demo;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** The report's charts, each of all runs. */
final class Charts {

    private static final double MIB = 1 << 20;

    private Charts() {}

    /** Bytes in use over time. */
    static String footprint(List<RunResult> runs) {
        RunResult lru = runs.get(0);
        RunResult batch = runs.get(1);
        double seconds = 1.02 * most(runs, run -> last(run.seconds()));
        double most = 1.12 * Math.max(lru.capacity(), most(runs, RunResult::peakBytes)) / MIB;
        String description = String.format(Locale.ROOT,
                "The old store fills up to %s and stays there. In batches the footprint rises with each request, to %s at most, and"
                        + " falls back to the %s of the long job when the request is over.",
                Comparison.bytes(lru.peakBytes()), Comparison.bytes(batch.peakBytes()), Comparison.bytes(batch.aBytes()));
        Plot plot = new Plot("footprint", "Bytes in use over time", description, Plot.across(seconds), Plot.upwards(most));
        ticks(plot, seconds, most);
        level(plot.axis("seconds since the first request"), runs);
        plot.legend(0, "lru", "lru: evicts what was used least recently")
                .legend(1, "batch", "batch: a request's objects go with it");
        if (runs.size() > 2) {
            plot.legend(2, "tasks", "tasks: its tasks go with it as well");
        }
        return plot.svg();
    }

    private static void ticks(Plot plot, double seconds, double most) {
        double stepY = Plot.step(most, 6);
        for (int i = 0; i * stepY <= most; i++) {
            plot.tickY(i * stepY, String.format(Locale.ROOT, stepY < 1 ? "%.1f MiB" : "%.0f MiB", i * stepY));
        }
        double stepX = Plot.step(seconds, 10);
        for (int i = 0; i * stepX <= seconds; i++) {
            plot.tickX(i * stepX, String.format(Locale.ROOT, stepX < 0.1 ? "%.2f" : stepX < 1 ? "%.1f" : "%.0f", i * stepX));
        }
    }

    private static void level(Plot plot, List<RunResult> runs) {
        RunResult lru = runs.get(0);
        RunResult batch = runs.get(1);
        for (int n = runs.size() - 1; n >= 0; n--) {
            RunResult run = runs.get(n);
            double[] mib = Arrays.stream(run.used()).mapToDouble(bytes -> bytes / MIB).toArray();
            plot.line("line " + run.mode().label(), run.seconds(), mib);
            plot.end(run.mode().label(), last(run.seconds()), last(mib), String.format(Locale.ROOT, "all served in %.3g s", run.wallSeconds()));
        }
        plot.level(lru.capacity() / MIB, "limit", "the store's size, " + Comparison.bytes(lru.capacity()));
        plot.level(batch.aBytes() / MIB, "mark", "live all along: job A's " + Comparison.bytes(batch.aBytes()));
    }

    /** The share of requests that took no longer than so many milliseconds. */
    static String latency(List<RunResult> runs) {
        RunResult lru = runs.get(0);
        RunResult batch = runs.get(1);
        double budget = lru.budgetMs();
        double least = Math.max(1e-3, -0.8 * most(runs, run -> -run.latencies()[0]));
        double most = 1.25 * Math.max(budget, most(runs, RunResult::maxMs));
        String description = String.format(Locale.ROOT,
                "Within the budget of %.0f ms: %s of %s requests with the old store, %s in batches. Medians %s and %s.",
                budget, Comparison.count(lru.requests() - lru.overBudget()), Comparison.count(lru.requests()),
                Comparison.count(batch.requests() - batch.overBudget()), Comparison.millis(lru.percentile(0.5)),
                Comparison.millis(batch.percentile(0.5)));
        Plot plot = new Plot("latency", "Share of requests served within a time", description,
                Plot.acrossLog(least, most), Plot.upwards(100));
        for (int percent = 0; percent <= 100; percent += 25) {
            plot.tickY(percent, percent + " %");
        }
        for (double decade = 1e-3; decade <= most; decade *= 10) {
            for (int factor : new int[] {1, 2, 5}) {
                double tick = decade * factor;
                if (tick >= least && tick <= most && (factor == 1 || most / least < 2000)) {
                    plot.tickX(tick, tick < 1 ? BigDecimal.valueOf(tick).round(new MathContext(1)).toPlainString() : String.format(Locale.ROOT, "%.0f", tick));
                }
            }
        }
        plot.axis("milliseconds, logarithmic");
        plot.upright(budget, "mark", String.format(Locale.ROOT, "budget %.0f ms", budget));
        for (int n = 0; n < runs.size(); n++) {
            RunResult run = runs.get(n);
            staircase(plot, run, most);
            String cancelled = run.cancelled() == 0 ? "" : ", " + Comparison.count(run.cancelled()) + " cancelled";
            plot.legend(n, run.mode().label(),
                    run.mode().label() + ": median " + Comparison.millis(run.percentile(0.5)) + cancelled);
        }
        return plot.svg();
    }

    private static void staircase(Plot plot, RunResult run, double most) {
        int n = run.requests();
        double[] xs = new double[2 * n + 1];
        double[] ys = new double[2 * n + 1];
        for (int i = 0; i < n; i++) {
            xs[2 * i] = run.latencies()[i];
            xs[2 * i + 1] = run.latencies()[i];
            ys[2 * i] = 100.0 * i / n;
            ys[2 * i + 1] = 100.0 * (i + 1) / n;
        }
        xs[2 * n] = most;
        ys[2 * n] = 100;
        plot.line("thick " + run.mode().label(), xs, ys);
    }

    private static double most(List<RunResult> runs, ToDoubleFunction<RunResult> value) {
        return runs.stream().mapToDouble(value).max().orElseThrow();
    }

    private static double last(double[] values) {
        return values[values.length - 1];
    }
}
