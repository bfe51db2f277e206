package io.raybatch.examples.demo;

import io.raybatch.Eviction;
import io.raybatch.RayException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The demonstration: a {@link io.raybatch.examples.RayJobScheduler} serves graph requests beside a long job, first with the store
 * as it was, then in batches, and then, if that is asked for, as tasks of batches. It prints a table and writes {@code report.html} and {@code report.json}.
 */
public final class Main {

    private static final int DONE = 0;
    private static final int FAILED = 1;
    private static final int BAD_INPUT = 2;

    /** Objects that both stores are warmed up with, about: enough for the JVM to have compiled what is measured. */
    private static final int WARM_UP_OBJECTS = 400_000;
    private static final int WARM_UP_REQUESTS = 200;

    private Main() {}

    /**
     * Runs it and exits: 0 done, 1 a check failed, 2 the input cannot be used.
     *
     * @param args see {@code --help}
     */
    public static void main(String[] args) {
        System.exit(run(System.out, System.err, System.console() != null, args));
    }

    /** Runs it; returns the exit code. */
    static int run(PrintStream out, PrintStream err, boolean terminal, String... args) {
        try {
            Options options = Options.parse(args);
            if (options.help()) {
                out.println(Options.HELP);
                return DONE;
            }
            return demonstrate(out, err, terminal, options);
        } catch (BadInputException e) {
            err.println("demo: " + e.getMessage());
            return BAD_INPUT;
        } catch (RayException | IllegalStateException | UncheckedIOException e) {
            err.println("demo: " + e.getMessage());
            return FAILED;
        } catch (OutOfMemoryError e) {
            err.println("demo: the graph or its requests do not fit Java's heap (" + e.getMessage() + ")");
            return FAILED;
        }
    }

    private static int demonstrate(PrintStream out, PrintStream err, boolean terminal, Options options)
            throws BadInputException {
        Path directory = writable(options.out());
        Graph graph = options.graph() == null ? WordNetReader.read() : EdgeListReader.read(options.graph());
        Requests requests = new Requests(graph, options.requests(), options.seed());
        long storeBytes = options.store().orElse(requests.storeBytes());
        out.printf(Locale.ROOT, "%s: %,d nodes, %,d edges%n", graph.name(), graph.nodes(), graph.edges());
        out.printf(Locale.ROOT, "%,d requests, the largest of %,d objects, beside job A; a store of %s%n%n", requests.count(),
                requests.largest(), Comparison.bytes(storeBytes));

        warmUp(graph, options);
        long[][] answers = requests.answers();
        // A store of the size that was asked for may be smaller than what lives in it at one time.
        Path spill = options.store().isPresent() ? directory.resolve("spill") : null;
        List<RunResult> runs = new ArrayList<>();
        for (Mode mode : options.modes()) {
            runs.add(run(out, terminal, requests, answers, mode, options.budget(), storeBytes, spill));
        }

        BesideResult beside = spill == null ? null : Beside.run(requests, answers, storeBytes, spill);

        Comparison comparison = new Comparison(runs, beside);
        out.println();
        out.println(comparison.text());
        Path html = directory.resolve("report.html");
        write(html, HtmlReport.of(requests, runs, beside));
        write(directory.resolve("report.json"), JsonReport.of(graph, options.seed(), runs, beside));
        write(directory.resolve("footprint.svg"), Charts.footprint(runs));
        comparison.sentences().forEach(out::println);
        out.println("Report: " + html.toAbsolutePath().normalize().toUri());
        comparison.failures().forEach(failure -> err.println("demo: FAILED: " + failure));
        return comparison.failures().isEmpty() ? DONE : FAILED;
    }

    private static RunResult run(PrintStream out, boolean terminal, Requests requests, long[][] answers, Mode mode,
            Budget budget, long storeBytes, Path spill) {
        System.gc(); // each run begins with a clean heap; what it collects itself is counted
        Progress progress = new Progress(out, terminal, mode.label(), requests.count());
        Path folder = mode.eviction() == Eviction.LRU ? null : spill;
        return Run.run(requests, answers, mode, budget, storeBytes, folder, progress);
    }

    /** Serves some other requests in each way, so that the first run does not pay for the JVM's start. */
    private static void warmUp(Graph graph, Options options) {
        long seed = options.seed();
        int count = 0;
        long objects = 0;
        Requests some = new Requests(graph, WARM_UP_REQUESTS, seed + 1);
        while (count < some.count() && objects < WARM_UP_OBJECTS) {
            objects += some.size(count++);
        }
        Requests few = new Requests(graph, count, seed + 1);
        long[][] answers = few.answers();
        for (Mode mode : options.modes()) {
            Run.run(few, answers, mode, Budget.DEFAULT, few.storeBytes(), null, (requests, millis, rebuilt) -> { });
        }
    }

    private static Path writable(Path directory) throws BadInputException {
        try {
            return Files.createDirectories(directory);
        } catch (IOException e) {
            throw new BadInputException("--out " + directory + ": no such directory can be made: " + e.getMessage());
        }
    }

    private static void write(Path file, String text) {
        try {
            Files.writeString(file, text);
        } catch (IOException e) {
            throw new UncheckedIOException(file + ": cannot be written", e);
        }
    }
}
