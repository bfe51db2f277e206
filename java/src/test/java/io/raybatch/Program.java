package io.raybatch;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.fory.Fory;

/** A Java program in a process of its own, by the JDK that runs the tests, with the jar of raybatch and what that needs. */
final class Program {

    static final Path JAR = Path.of(System.getProperty("raybatch.jar"));
    private static final long SECONDS = 60;

    private final List<String> command = new ArrayList<>();
    private final Map<String, String> environment = new TreeMap<>();
    private final List<String> path = new ArrayList<>();
    private final List<String> options = new ArrayList<>();

    Program() {
        path.add(JAR.toString());
        path.add(fory().toString());
        path.add(testClasses().toString());
        options.add("-Xmx256m");
        options.add("-XX:TieredStopAtLevel=1");
        options.add("--enable-native-access=ALL-UNNAMED");
        if (Runtime.version().feature() >= 24) {
            options.add("--sun-misc-unsafe-memory-access=allow");
        }
    }

    /** How it ended. */
    record Ended(int status, String output) {}

    static Path fory() {
        return whereIs(Fory.class);
    }

    static Path testClasses() {
        return whereIs(Program.class);
    }

    static Path whereIs(Class<?> type) {
        return Path.of(java.net.URI.create(type.getProtectionDomain().getCodeSource().getLocation().toString()));
    }

    static Path java() {
        return Path.of(System.getProperty("java.home"), "bin", "java");
    }

    /** Words before the command. */
    Program by(String... words) {
        command.addAll(List.of(words));
        return this;
    }

    Program with(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    Program without(String option) {
        options.remove(option);
        return this;
    }

    Program on(String more) {
        path.addAll(Arrays.asList(more.split(File.pathSeparator)));
        return this;
    }

    /** In place of all that is on the class path. */
    Program onlyOn(String all) {
        path.clear();
        return on(all);
    }

    /** Nothing is on the class path, and no right is that of what is. */
    Program onlyModules() {
        path.clear();
        options.remove("--enable-native-access=ALL-UNNAMED");
        return this;
    }

    Program environment(String name, String value) {
        environment.put(name, value);
        return this;
    }

    List<String> command(String main, String... arguments) {
        return command(java(), main, arguments);
    }

    List<String> command(Path java, String main, String... arguments) {
        List<String> all = new ArrayList<>(command);
        all.add(java.toString());
        all.addAll(options);
        if (!path.isEmpty()) {
            all.add("-cp");
            all.add(String.join(File.pathSeparator, path));
        }
        all.addAll(Arrays.asList(main.split(" ")));
        all.addAll(List.of(arguments));
        return all;
    }

    /** Runs it to its end. */
    Ended run(String main, String... arguments) {
        return run(command(main, arguments));
    }

    Ended run(List<String> all) {
        try {
            Path output = Files.createTempFile("raybatch-test", ".txt");
            try {
                Process process = start(all, output);
                if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly().waitFor();
                    throw new AssertionError(all + " did not end: " + Files.readString(output));
                }
                return new Ended(process.exitValue(), new String(Files.readAllBytes(output), StandardCharsets.UTF_8));
            } finally {
                Files.delete(output);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Starts it; what it writes goes to a file. */
    Process start(List<String> all, Path output) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(all).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        return builder.start();
    }
}
