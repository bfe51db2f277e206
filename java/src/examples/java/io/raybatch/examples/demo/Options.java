package io.raybatch.examples.demo;

import io.raybatch.InvalidArgumentException;
import io.raybatch.RayConfig;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * What the user asked for.
 *
 * @param graph an edge list; null for WordNet
 * @param out where the report goes
 * @param requests how many
 * @param store bytes of the store; empty for what fits the requests
 * @param seed of all draws
 * @param tasks whether the requests are served as tasks, too
 * @param budget what a request may take, and whether one of tasks is cancelled then
 * @param help whether only help is wanted
 */
record Options(Path graph, Path out, int requests, OptionalLong store, long seed, boolean tasks, Budget budget,
        boolean help) {

    static final String HELP = """
            Serves graph requests beside a long job, twice: with the store as it was (lru), then in batches.
            With --tasks true a third time, as tasks of batches.

              --graph FILE     a SNAP edge list, plain or gzip       (WordNet 3.1)
              --requests N     how many requests                     (200)
              --store SIZE     bytes of the store, as 64m or 2g      (1.25 x the long job and the largest request)
                               where that is too little, batches go to files in the folder of --out, and come back
              --seed N         of all draws                          (1)
              --tasks BOOLEAN  serve the requests as tasks, too      (false)
              --cancel BOOLEAN cancel one of tasks at its budget     (false)
              --budget MILLIS  what a request may take               (200)
              --out DIR        where report.html and report.json go  (build/demo)
              --help           this

            With Gradle: ./gradlew demo -Pgraph=FILE -Prequests=N -Pstore=SIZE -Pseed=N -Pout=DIR
                                -Ptasks=true -Pcancel=true -Pbudget=MILLIS
            Exit code: 0 done, 1 a check failed, 2 the input cannot be used.""";

    /** Reads {@code --name value} and {@code --name=value}. */
    static Options parse(String... args) throws BadInputException {
        Path graph = null;
        Path out = Path.of("build", "demo");
        int requests = 200;
        OptionalLong store = OptionalLong.empty();
        long seed = 1;
        boolean tasks = false;
        boolean cancel = false;
        int budget = (int) Budget.DEFAULT.millis();
        boolean help = false;
        for (int i = 0; i < args.length; i++) {
            int equals = args[i].indexOf('=');
            String name = equals < 0 ? args[i] : args[i].substring(0, equals);
            if (name.equals("--help") || name.equals("-h")) {
                help = true;
                continue;
            }
            if (!name.matches("--(graph|out|requests|store|seed|tasks|cancel|budget)")) {
                throw new BadInputException("unknown option " + args[i] + "; --help lists them");
            }
            if (equals < 0 && i + 1 == args.length) {
                throw new BadInputException(name + " needs a value; --help lists the options");
            }
            String value = equals < 0 ? args[++i] : args[i].substring(equals + 1);
            switch (name) {
                case "--graph" -> graph = path(name, value);
                case "--out" -> out = path(name, value);
                case "--requests" -> requests = (int) number(name, value, 1, 1_000_000);
                case "--store" -> store = size(value);
                case "--tasks" -> tasks = bool(name, value);
                case "--cancel" -> cancel = bool(name, value);
                case "--budget" -> budget = (int) number(name, value, 0, 3_600_000);
                default -> seed = number(name, value, Long.MIN_VALUE, Long.MAX_VALUE);
            }
        }
        if (cancel && !tasks) {
            throw new BadInputException("--cancel is of requests that are served as tasks, and needs --tasks true");
        }
        return new Options(graph, out, requests, store, seed, tasks, new Budget(budget, cancel), help);
    }

    /** The runs, in order. */
    List<Mode> modes() {
        return tasks ? List.of(Mode.values()) : List.of(Mode.LRU, Mode.BATCH);
    }

    private static boolean bool(String name, String value) throws BadInputException {
        return switch (value) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new BadInputException(name + " is \"" + value + "\", and must be true or false");
        };
    }

    private static Path path(String name, String value) throws BadInputException {
        try {
            if (!value.isBlank()) {
                return Path.of(value);
            }
        } catch (IllegalArgumentException notAPath) {
            // as for none
        }
        throw new BadInputException(name + " is \"" + value + "\", and must be a path");
    }

    private static long number(String name, String value, long least, long most) throws BadInputException {
        try {
            long number = Long.parseLong(value);
            if (number >= least && number <= most) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // as for one out of range
        }
        String range = least == Long.MIN_VALUE ? "" : " from " + least + " to " + most;
        throw new BadInputException(name + " is \"" + value + "\", and must be a whole number" + range);
    }

    private static OptionalLong size(String value) throws BadInputException {
        try {
            return RayConfig.builder().storeSize(value).build().storeSize();
        } catch (InvalidArgumentException e) {
            throw new BadInputException("--store is \"" + value + "\", and must be a size such as 64m or 2g");
        }
    }
}
