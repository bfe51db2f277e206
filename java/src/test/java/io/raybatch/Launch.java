package io.raybatch;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/** Runs programs with the java of these tests, in a process of their own. */
final class Launch {

    private static final long MOST_SECONDS = 120;

    private Launch() {}

    record Result(int exit, String out, String err) {}

    /** Runs a class, or a source file, with the class path of these tests. */
    static Result java(List<String> options, String... program) throws IOException, InterruptedException {
        return java(System.getProperty("java.class.path"), options, program);
    }

    /** The class path without what {@code left} has in its name. */
    static String classPathWithout(String left) {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(path -> !Path.of(path).getFileName().toString().startsWith(left))
                .collect(Collectors.joining(File.pathSeparator));
    }

    static Result java(String classPath, List<String> options, String... program) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(quietly());
        command.addAll(options);
        command.addAll(List.of("-cp", classPath));
        command.addAll(List.of(program));
        Path out = Files.createTempFile("raybatch-out", ".txt");
        Path err = Files.createTempFile("raybatch-err", ".txt");
        try {
            Process process = new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
            if (!process.waitFor(MOST_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                throw new IOException("it did not end: " + command + "\n" + Files.readString(out) + Files.readString(err));
            }
            return new Result(process.exitValue(), Files.readString(out), Files.readString(err));
        } finally {
            Files.delete(out);
            Files.delete(err);
        }
    }

    /** The flags that the build gives its tests. */
    private static List<String> quietly() {
        List<String> options = new ArrayList<>(List.of("--enable-native-access=ALL-UNNAMED"));
        if (Runtime.version().feature() >= 23) {
            options.add("--sun-misc-unsafe-memory-access=allow");
        }
        return options;
    }
}
