package io.raybatch.bench;

import java.nio.file.Path;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * What the user asked for.
 *
 * @param quick whether fewer rows, for less time each
 * @param rows found in the names of those to measure
 * @param out folder for the results
 * @param newer home of a newer JDK; null for none
 * @param criterion folder of Criterion's results; null for none
 * @param list whether only to name the rows
 */
record Options(boolean quick, Pattern rows, Path out, Path newer, Path criterion, boolean list) {

    private static final String USAGE = """

              --quick           fewer rows, for less time each
              --bench PATTERN   only rows in whose names the pattern is found, as put/heap/64/1000000/1/warm/in-order
              --out DIR         where results.json goes        (build/bench)
              --newer DIR       a JDK of 22 or later, for the rows that need one
              --criterion DIR   Criterion's results, to be told beside these
              --list            only name the rows""";

    /** Reads {@code --name value}. */
    static Options parse(String... args) {
        Options options = new Options(false, Pattern.compile(""), Path.of("build", "bench"), null, null, false);
        for (int i = 0; i < args.length; i++) {
            String name = args[i];
            boolean flag = name.equals("--quick") || name.equals("--list");
            if (!flag && i + 1 == args.length) {
                throw new IllegalArgumentException(name + " needs a value, or is no option:" + USAGE);
            }
            options = options.with(name, flag ? "" : args[++i]);
        }
        return options;
    }

    private Options with(String name, String value) {
        return switch (name) {
            case "--quick" -> new Options(true, rows, out, newer, criterion, list);
            case "--bench" -> new Options(quick, pattern(value), out, newer, criterion, list);
            case "--out" -> new Options(quick, rows, Path.of(value), newer, criterion, list);
            case "--newer" -> new Options(quick, rows, out, Path.of(value), criterion, list);
            case "--criterion" -> new Options(quick, rows, out, newer, Path.of(value), list);
            case "--list" -> new Options(quick, rows, out, newer, criterion, true);
            default -> throw new IllegalArgumentException("unknown option " + name + ":" + USAGE);
        };
    }

    private static Pattern pattern(String value) {
        try {
            return Pattern.compile(value);
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException("--bench is no pattern: " + e.getMessage(), e);
        }
    }
}
