package io.raybatch.examples.demo;

import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/**
 * What small requests came to, alone and beside one that is larger than memory.
 *
 * @param most objects of a small request
 * @param alone their latencies in milliseconds, ascending
 * @param beside those of the ones beside the large request
 * @param large objects of the large one
 * @param seconds that it took, on average
 * @param capacity bytes of the store
 * @param spilled payload that went to files for each large one
 */
record BesideResult(int most, double[] alone, double[] beside, int large, double seconds, long capacity, long spilled) {

    double p99Alone() {
        return RunResult.percentile(alone, 0.99);
    }

    double p99Beside() {
        return RunResult.percentile(beside, 0.99);
    }

    /** The rows of its table: a label, alone, beside. */
    List<List<String>> rows() {
        return List.of(
                List.of("small requests", Comparison.count(alone.length), Comparison.count(beside.length)),
                row("latency p50", all -> RunResult.percentile(all, 0.5)),
                row("latency p99", all -> RunResult.percentile(all, 0.99)),
                row("latency max", all -> all[all.length - 1]));
    }

    private List<String> row(String label, ToDoubleFunction<double[]> value) {
        return List.of(label, Comparison.millis(value.applyAsDouble(alone)), Comparison.millis(value.applyAsDouble(beside)));
    }

    String sentence() {
        return String.format(Locale.ROOT, "A request of %s objects, %s with their index, was served in a store of %s, in %.1f s; %s went to"
                        + " files. Small requests of up to %s objects, one every 10 ms, took %s at p99 beside it, against %s alone.",
                Comparison.count(large), Comparison.bytes(large * Requests.OBJECT_BYTES), Comparison.bytes(capacity), seconds,
                Comparison.bytes(spilled), Comparison.count(most), Comparison.millis(p99Beside()), Comparison.millis(p99Alone()));
    }

    /** The table in plain text. */
    String text() {
        StringBuilder text = new StringBuilder(String.format("%-28s%16s%19s%n", "", "alone", "beside a large one"));
        text.append("-".repeat(63)).append('\n');
        rows().forEach(row -> text.append(String.format("%-28s%16s%19s%n", row.toArray())));
        return text.toString();
    }
}
