package io.raybatch.examples.demo;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/** The runs side by side, for people: the rows of the table, the sentences, and what must hold. */
final class Comparison {

    /** By how much bytes in use after the last request may differ from the live ones, in batches. */
    private static final double END_TOLERANCE = 0.15;
    private static final String NONE = "–";

    private final List<RunResult> runs;
    private final RunResult lru;
    private final RunResult batch;
    private final RunResult tasks;
    private final BesideResult beside;

    /**
     * The runs side by side.
     *
     * @param runs the old store, batches, and, if there is a third one, tasks
     * @param beside small requests beside one that is larger than memory; null if all fit
     */
    Comparison(List<RunResult> runs, BesideResult beside) {
        this.runs = runs;
        this.beside = beside;
        lru = runs.get(0);
        batch = runs.get(1);
        tasks = runs.size() > 2 ? runs.get(2) : null;
    }

    /**
     * A row of the table.
     *
     * @param label what it is
     * @param cells of each run
     */
    record Row(String label, List<Cell> cells) {}

    /**
     * One run's value in a row.
     *
     * @param value as text
     * @param over whether it is a latency over the budget
     */
    record Cell(String value, boolean over) {}

    List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        rows.add(row("requests", r -> count(r.requests())));
        if (tasks != null) {
            rows.add(row("  cancelled", r -> r.tasks() == null ? NONE : count(r.cancelled())));
            rows.add(row("tasks a request, mean", r -> r.tasks() == null ? NONE : count(tasksEach(r))));
            rows.add(row("  most", r -> r.tasks() == null ? NONE : count(r.tasks().most())));
        }
        rows.add(row("objects put and read", r -> count(r.objects())));
        rows.add(row("requests per second", r -> decimal(r.requestsPerSecond())));
        rows.add(latency("latency p50", r -> r.percentile(0.5)));
        rows.add(latency("latency p99", r -> r.percentile(0.99)));
        rows.add(latency("latency max", RunResult::maxMs));
        rows.add(row("requests over " + budget(), r -> count(r.overBudget())));
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
        if (runs.stream().anyMatch(run -> run.spilled() > 0)) {
            rows.add(row("bytes written to files", r -> bytes(r.spilled())));
        }
        rows.add(row("JVM collections", r -> count(r.jvm().count())));
        rows.add(row("JVM collection pauses", r -> millis(r.jvm().millis())));
        return rows;
    }

    private Row row(String label, Function<RunResult, String> value) {
        return new Row(label, runs.stream().map(run -> new Cell(value.apply(run), false)).toList());
    }

    private Row latency(String label, ToDoubleFunction<RunResult> value) {
        return new Row(label, runs.stream()
                .map(run -> new Cell(millis(value.applyAsDouble(run)), value.applyAsDouble(run) > run.budgetMs()))
                .toList());
    }

    private static long tasksEach(RunResult run) {
        return Math.round((double) run.tasks().count() / run.requests());
    }

    private String budget() {
        return String.format(Locale.ROOT, "%.0f ms", lru.budgetMs());
    }

    /** What was seen. */
    List<String> sentences() {
        List<String> sentences = new ArrayList<>();
        sentences.add(stores());
        if (tasks != null) {
            sentences.add(String.format(Locale.ROOT, "As tasks, %s a request and %s at most, requests took %s at p50 and %s at p99,"
                            + " against %s and %s without; %s of %s were cancelled.",
                    count(tasksEach(tasks)), count(tasks.tasks().most()), millis(tasks.percentile(0.5)),
                    millis(tasks.percentile(0.99)), millis(batch.percentile(0.5)), millis(batch.percentile(0.99)),
                    tasks.cancelled() == 0 ? "none" : count(tasks.cancelled()), count(tasks.requests())));
        }
        if (beside != null) {
            sentences.add(beside.sentence());
        }
        return sentences;
    }

    private String stores() {
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
        check("in batches", batch, failures);
        if (tasks != null) {
            check("as tasks", tasks, failures);
        }
        return failures;
    }

    private static void check(String how, RunResult run, List<String> failures) {
        if (run.aEvicted() != 0 || run.aRebuilt() != 0) {
            failures.add(how + " A lost " + count(run.aEvicted()) + " objects, and must lose none");
        }
        int served = run.requests() - run.cancelled();
        if (run.answersKept() != served) {
            failures.add(how + " " + count(run.answersKept()) + " answers are left of " + count(served));
        }
        if (Math.abs(run.endExcess()) > END_TOLERANCE) {
            failures.add(String.format(Locale.ROOT, "%s %s are in use after the last request, %.0f %% off A's and the"
                    + " answers' %s", how, bytes(run.endBytes()), 100 * run.endExcess(), bytes(run.aBytes() + run.keptBytes())));
        }
    }

    /** The table in plain text. */
    String text() {
        StringBuilder text = new StringBuilder();
        line(text, new Row("", runs.stream().map(run -> new Cell(run.mode().heading(), false)).toList()));
        text.append("-".repeat(26 + 19 * runs.size())).append('\n');
        rows().forEach(row -> line(text, row));
        if (rows().stream().flatMap(row -> row.cells().stream()).anyMatch(Cell::over)) {
            text.append("! over the budget of ").append(budget()).append('\n');
        }
        if (beside != null) {
            text.append('\n').append(beside.text());
        }
        return text.toString();
    }

    private static void line(StringBuilder text, Row row) {
        StringBuilder line = new StringBuilder(String.format("%-28s", row.label()));
        for (Cell cell : row.cells()) {
            String width = cell == row.cells().get(0) ? "%16s" : "%17s";
            line.append(String.format(width, cell.value())).append(cell.over() ? " !" : "  ");
        }
        text.append(line.toString().stripTrailing()).append('\n');
    }

    /** Of all requests' latencies. */
    private static String share(double ms, RunResult run) {
        if (Double.isNaN(ms)) {
            return NONE;
        }
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
