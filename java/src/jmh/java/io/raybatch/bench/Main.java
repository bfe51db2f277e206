package io.raybatch.bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.format.OutputFormat;
import org.openjdk.jmh.runner.format.OutputFormatFactory;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * Measures the rows one after the other, says how far it is, and ends with one table and {@code results.json}. What JMH has to
 * say stands in {@code jmh.log} beside it.
 */
public final class Main {

    private static final int FAILED = 1;
    private static final int MISUSED = 2;
    private static final double SECOND = 1e9;

    private Main() {}

    /**
     * Exits with 0 when all rows were measured, 1 when one could not be, 2 when the options are wrong.
     *
     * @param args see {@link Options}
     * @throws IOException when the results cannot be written
     */
    public static void main(String... args) throws IOException {
        Options options;
        try {
            options = Options.parse(args);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage());
            System.exit(MISUSED);
            return;
        }
        System.exit(run(options, System.out));
    }

    private static int run(Options options, PrintStream out) throws IOException {
        Jdk newer = options.newer() == null ? null : Jdk.at(options.newer());
        List<Row> rows = (options.quick() ? Plan.quick() : Plan.full())
                .stream()
                .filter(row -> newer != null || !row.newer())
                .filter(row -> options.rows().matcher(row.name()).find())
                .toList();
        if (options.list() || rows.isEmpty()) {
            rows.forEach(row -> out.println(row.name()));
            if (!options.list()) {
                System.err.println("no row's name has " + options.rows());
            }
            return options.list() ? 0 : MISUSED;
        }
        Path folder = Files.createDirectories(options.out());
        List<Measured> measured = new ArrayList<>();
        int failed;
        try (PrintStream log = new PrintStream(Files.newOutputStream(folder.resolve("jmh.log")), true)) {
            OutputFormat format = OutputFormatFactory.createFormatInstance(log, VerboseMode.NORMAL);
            failed = measure(rows, new RowRunner(options.quick(), Jdk.own(), newer, format), measured, out);
        }
        Results results = new Results(Machine.facts(), Machine.versions(newer), measured, Criterion.read(options.criterion()));
        Files.writeString(folder.resolve("results.json"), JsonResults.of(results));
        out.println(Table.of(results));
        out.println("results: " + folder.resolve("results.json"));
        if (failed > 0) {
            out.println(failed + " rows could not be measured; " + folder.resolve("jmh.log") + " says why");
        }
        return failed == 0 ? 0 : FAILED;
    }

    private static int measure(List<Row> rows, RowRunner runner, List<Measured> measured, PrintStream out) {
        int failed = 0;
        for (int n = 0; n < rows.size(); n++) {
            Row row = rows.get(n);
            long began = System.nanoTime();
            String came;
            try {
                Measured one = runner.run(row);
                measured.add(one);
                came = Table.figure(one.median()) + " ± " + Table.figure(one.error()) + " " + row.work().unit();
            } catch (RunnerException e) {
                failed++;
                came = "FAILED: " + e.getMessage();
            }
            double seconds = (System.nanoTime() - began) / SECOND;
            out.printf(Locale.ROOT, "[%3d/%d] %-56s %s  (%.1f s)%n", n + 1, rows.size(), row.name(), came, seconds);
            out.flush();
        }
        return failed;
    }
}
