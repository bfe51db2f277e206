package io.raybatch.examples.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** Both runs side by side, for people: the rows of the table, the sentence, and what must hold. */
final class Comparison {

    /** By how much bytes in use after the last request may differ from the live ones, in batches. */
    private static final double END_TOLERANCE = 0.15;

    private final RunResult lru;
    private final RunResult batch;

    Comparison(RunResult lru, RunResult batch) {
        this.lru = lru;
        this.batch = batch;
    }

    /**
     * A row of the table.
     *
     * @param label what it is
     * @param lru value of the run with the old store
     * @param batch value of the run in batches
     * @param lruOver whether that value is a latency over the budget
     * @param batchOver likewise
     */
    record Row(String label, String lru, String batch, boolean lruOver, boolean batchOver) {}

    List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        rows.add(row("requests", r -> count(r.requests())));
        rows.add(row("objects put and read", r -> count(r.objects())));
        rows.add(row("requests per second", r -> decimal(r.requestsPerSecond())));
        rows.add(latency("latency p50", r -> r.percentile(0.5)));
        rows.add(latency("latency p99", r -> r.percentile(0.99)));
        rows.add(latency("latency max", RunResult::maxMs));
        rows.add(row(String.format(Locale.ROOT, "requests over %.0f ms", RunResult.BUDGET_MS), r -> count(r.overBudget())));
        rows.add(row("time goes to: putting", r -> share(r.putMs(), r)));
        rows.add(row("  reading", r -> share(r.readMs(), r)));
        rows.add(row("  ending and collecting", r -> share(r.endMs(), r)));
        rows.add(row("A's objects", r -> count(SignatureJob.OBJECTS)));
        rows.add(row("A's objects evicted", r -> count(r.aEvicted())));
        rows.add(row("A's objects rebuilt", r -> count(r.aRebuilt())));
        rows.add(row("time to rebuild them", r -> millis(r.aRebuildMs())));
        rows.add(row("bytes in use, peak", r -> bytes(r.peakBytes())));
        rows.add(row("bytes in use, at the end", r -> bytes(r.endBytes())));
        rows.add(row("  of these live: A", r -> bytes(r.aBytes())));
        rows.add(row("  of these live: answers", r -> bytes(r.keptBytes())));
        if (batch.spilled() > 0) {
            rows.add(row("bytes written to files", r -> bytes(r.spilled())));
        }
        rows.add(row("JVM collections", r -> count(r.jvm().count())));
        rows.add(row("JVM collection pauses", r -> millis(r.jvm().millis())));
        return rows;
    }

    private Row row(String label, Function<RunResult, String> value) {
        return new Row(label, value.apply(lru), value.apply(batch), false, false);
    }

    private Row latency(String label, Function<RunResult, Double> value) {
        double a = value.apply(lru);
        double b = value.apply(batch);
        return new Row(label, millis(a), millis(b), a > RunResult.BUDGET_MS, b > RunResult.BUDGET_MS);
    }

    /** What was seen. */
    String sentence() {
        String beside = batch.aEvicted() == 0 ? "none of them" : count(batch.aEvicted()) + " of them";
        String end = "after the last request " + bytes(batch.endBytes()) + " were in use, against " + bytes(lru.endBytes()) + ".";
        if (lru.aEvicted() == 0) {
            return "Neither store was short of room: the old one evicted none of A's objects, batches " + beside + "; " + end;
        }
        return "The old store evicted A's objects " + count(lru.aEvicted()) + " times, and " + count(lru.aRebuilt())
                + " had to be rebuilt, which took " + millis(lru.aRebuildMs()) + "; batches lost " + beside + ", and " + end;
    }

    /** What does not hold and should; empty when all is well. */
    List<String> failures() {
        List<String> failures = new ArrayList<>();
        if (batch.aEvicted() != 0 || batch.aRebuilt() != 0) {
            failures.add("in batches A lost " + count(batch.aEvicted()) + " objects, and must lose none");
        }
        if (batch.answersKept() != batch.requests()) {
            failures.add("in batches " + count(batch.answersKept()) + " answers are left of " + count(batch.requests()));
        }
        if (Math.abs(batch.endExcess()) > END_TOLERANCE) {
            failures.add(String.format(Locale.ROOT, "in batches %s are in use after the last request, %.0f %% off A's and the"
                    + " answers' %s", bytes(batch.endBytes()), 100 * batch.endExcess(), bytes(batch.aBytes() + batch.keptBytes())));
        }
        return failures;
    }

    /** The table in plain text. */
    String text() {
        StringBuilder text = new StringBuilder();
        line(text, new Row("", "lru (old store)", "batch", false, false));
        text.append("-".repeat(64)).append('\n');
        rows().forEach(row -> line(text, row));
        if (rows().stream().anyMatch(row -> row.lruOver() || row.batchOver())) {
            text.append(String.format(Locale.ROOT, "! over the budget of %.0f ms%n", RunResult.BUDGET_MS));
        }
        return text.toString();
    }

    private static void line(StringBuilder text, Row row) {
        String line = String.format("%-28s%16s%s%17s%s", row.label(), row.lru(), row.lruOver() ? " !" : "  ", row.batch(),
                row.batchOver() ? " !" : "");
        text.append(line.stripTrailing()).append('\n');
    }

    /** Of all requests' latencies. */
    private static String share(double ms, RunResult run) {
        return String.format(Locale.ROOT, "%s (%.0f %%)", millis(ms), 100 * ms / Math.max(1e-9, run.allMs()));
    }

    static String count(long n) {
        return String.format(Locale.ROOT, "%,d", n);
    }

    static String decimal(double x) {
        return String.format(Locale.ROOT, x < 10 ? "%,.2f" : "%,.1f", x);
    }

    static String millis(double ms) {
        if (ms == 0) {
            return "0 ms";
        }
        return ms >= 1_000 ? decimal(ms / 1000) + " s" : decimal(ms) + " ms";
    }

    static String bytes(long n) {
        if (n < 1 << 10) {
            return n + " B";
        }
        int unit = (63 - Long.numberOfLeadingZeros(n)) / 10;
        return String.format(Locale.ROOT, "%.1f %siB", n / (double) (1L << 10 * unit), "KMGTPE".charAt(unit - 1));
    }
}
