package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What surrounds a process: which SLF4J there is, the temporary folder, what the JVM and the system let it do, how it ended. */
@Timeout(120)
class LaunchTest {

    private static final String NATIVE_ACCESS = "--enable-native-access=ALL-UNNAMED";

    @TempDir
    Path folder;

    private static List<Path> in(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.toList();
        }
    }

    // ---- logging ---------------------------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(strings = {"none", "raybatch.slf4jOld", "raybatch.slf4jNew"})
    void it_opens_and_logs_with_either_slf4j_or_none(String which) {
        Program program = new Program().with("-Dorg.slf4j.simpleLogger.showThreadName=false");
        if (!which.equals("none")) {
            program.on(System.getProperty(which));
        }
        Program.Ended ended = program.run(Launched.Opens.class.getName());
        assertThat(ended.output()).contains("opened [1]").contains("logged");
        assertThat(ended.output().contains("WARN io.raybatch - logged")).isEqualTo(!which.equals("none"));
        assertThat(ended.status()).isZero();
    }

    @Test
    void ray_opens_with_the_first_use() {
        Program.Ended ended = new Program().with("-Draybatch.storeSize=16m").run(Launched.UsesRay.class.getName());
        assertThat(ended.output()).contains("value [1] of 16");
    }

    // ---- the temporary folder ----------------------------------------------------------------------------------------

    private Program.Ended open(String... options) {
        return new Program().with(options).run(Launched.Opens.class.getName());
    }

    @Test
    void a_temporary_folder_that_is_missing_is_made_whatever_it_is_called() throws IOException {
        Path unusual = folder.resolve("a b'c\"d").resolve("x".repeat(200)).resolve("y".repeat(200));
        assertThat(open("-Djava.io.tmpdir=" + unusual).output()).contains("opened");
        assertThat(in(unusual)).isEmpty();
    }

    @Test
    void one_that_cannot_be_made_is_named_with_the_remedy() throws IOException {
        Path obstacle = Files.createFile(folder.resolve("file"));
        Program.Ended ended = open("-Djava.io.tmpdir=" + obstacle.resolve("inner"));
        assertThat(ended.output()).contains("NativeLibraryException").contains(obstacle + "/inner")
                .contains("name another folder with -Draybatch.tmpdir");
        assertThat(open("-Djava.io.tmpdir=" + obstacle.resolve("inner"), "-Draybatch.tmpdir=" + folder).output()).contains("opened");
    }

    /** The limit for one file stands for a full disk: either refuses the bytes. */
    @Test
    void a_full_one_is_named_and_keeps_nothing() throws IOException {
        Program.Ended ended = new Program().by("bash", "-c", "ulimit -f 100; exec \"$@\"", "bash")
                .with("-XX:-UsePerfData", "-Djava.io.tmpdir=" + folder).run(Launched.Opens.class.getName());
        assertThat(ended.output()).contains("NativeLibraryException").contains("cannot be unpacked in " + folder)
                .contains("-Draybatch.tmpdir");
        assertThat(in(folder)).isEmpty();
    }

    @Test
    void one_whose_name_the_locale_cannot_write_works_or_is_an_error_with_the_remedy() {
        String script = "d=\"$1/$(printf 'u\\303\\274')\"; mkdir -p \"$d\"; j=\"$2\"; shift 2; exec \"$j\" -Djava.io.tmpdir=\"$d\" \"$@\"";
        Program.Ended ended = new Program().environment("LC_ALL", "C").by("bash", "-c", script, "bash", folder.toString())
                .run(Launched.Opens.class.getName());
        assertThat(ended.output()).containsAnyOf("opened", "name another folder with -Draybatch.tmpdir");
        assertThat(ended.output()).doesNotContain("Exception in thread \"main\" java.");
        assertThat(new Program().environment("LC_ALL", "C").with("-Draybatch.tmpdir=" + folder)
                .by("bash", "-c", script, "bash", folder.toString()).run(Launched.Opens.class.getName()).output()).contains("opened");
    }

    @Test
    void what_failed_is_tried_again_when_a_property_has_changed_and_not_before() throws IOException {
        Path obstacle = Files.createFile(folder.resolve("obstacle"));
        Path good = Files.createDirectory(folder.resolve("good"));
        Program.Ended ended = new Program().with("-Draybatch.tmpdir=" + obstacle)
                .run(Launched.OpensAgain.class.getName(), obstacle.toString(), good.toString());
        assertThat(ended.output().lines().filter(line -> line.startsWith("failed"))).hasSize(2);
        assertThat(ended.output()).contains("opened").doesNotContain("unexpected");
        assertThat(obstacle).doesNotExist();
        assertThat(in(good)).isEmpty();
    }

    @Test
    void what_a_killed_process_has_unpacked_is_removed_and_nothing_else() throws IOException {
        Path dead = unpacked("raybatch-native-1-1");
        Path living = unpacked("raybatch-native-1-2");
        Path another = unpacked("raybatch-native-1-3");
        Path named = unpacked("backup");
        Files.createFile(another.resolve("letter.txt"));
        try (FileChannel lock = FileChannel.open(living.resolve("lock"), StandardOpenOption.WRITE)) {
            lock.lock();
            assertThat(open("-Draybatch.tmpdir=" + folder).output()).contains("opened");
        }
        assertThat(dead).doesNotExist();
        assertThat(living.resolve("libraybatch.so")).exists();
        assertThat(another.resolve("letter.txt")).exists();
        assertThat(named.resolve("libraybatch.so")).exists();
        assertThat(in(folder)).hasSize(3);
    }

    private Path unpacked(String name) throws IOException {
        Path made = Files.createDirectory(folder.resolve(name));
        Files.createFile(made.resolve("libraybatch.so"));
        Files.createFile(made.resolve("lock"));
        return made;
    }

    // ---- what the JVM lets it do ---------------------------------------------------------------------------------------

    @Test
    void denied_native_access_is_an_error_with_the_remedy() {
        assumeTrue(Runtime.version().feature() >= 24, "before JDK 24 it cannot be denied");
        Program.Ended denied = new Program().without(NATIVE_ACCESS).with("--illegal-native-access=deny")
                .run(Launched.Opens.class.getName());
        assertThat(denied.output()).contains("NativeLibraryException").contains("start it with " + NATIVE_ACCESS);
        assertThat(open("--illegal-native-access=deny").output()).contains("opened");
    }

    // ---- how it ends ------------------------------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void files_of_a_process_that_was_killed_are_removed_by_the_next_store(boolean forcibly) throws Exception {
        Path arena = folder.resolve("arena-of-the-dead");
        Path spill = folder.resolve("spill");
        Path living = folder.resolve("arena-of-the-living");
        Path output = folder.resolve("output.txt");
        Path letter = Files.writeString(folder.resolve("letter.txt"), "dear");
        Process process = holding(arena, spill, output);
        Process other = holding(living, spill, folder.resolve("other.txt"));
        try {
            assertThat(in(spill)).hasSize(2);
            assertThat(arena).exists();
            end(process, forcibly);
            try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("8m").storePath(folder.resolve("next"))
                    .spillDirectory(spill).build())) {
                assertThat(arena).doesNotExist();
                assertThat(living).exists();
                assertThat(in(spill)).hasSize(2);
                assertThat(ray.put(1).get()).isEqualTo(1);
            }
            assertThat(in(spill)).hasSize(1);
            assertThat(letter).hasContent("dear");
        } finally {
            end(process, true);
            end(other, true);
        }
    }

    private static Process holding(Path arena, Path spill, Path output) throws Exception {
        Program program = new Program();
        Process process =
                program.start(program.command(Launched.Holds.class.getName(), arena.toString(), spill.toString()), output);
        awaitText(process, output, "ready");
        return process;
    }

    private static void awaitText(Process process, Path output, String text) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!Files.readString(output).contains(text)) {
            assertThat(process.isAlive() && System.nanoTime() < end).as(Files.readString(output)).isTrue();
            TimeUnit.MILLISECONDS.sleep(20);
        }
    }

    private static void end(Process process, boolean forcibly) throws InterruptedException {
        if (forcibly) {
            process.destroyForcibly();
        } else {
            process.destroy();
        }
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).as("it ends").isTrue();
    }

    // ---- threads -----------------------------------------------------------------------------------------------------------

    /** A user that is not root, with as many threads as nested tasks soon have. */
    @Test
    void without_a_further_thread_a_task_fails_and_the_process_ends_when_told_to() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")) && Files.isExecutable(Path.of("/usr/bin/setpriv")),
                "only root can become a user that has no other threads");
        Path readable = Files.createTempDirectory(Path.of("/tmp"), "raybatch-test-");
        Path output = folder.resolve("output.txt");
        try {
            Files.setPosixFilePermissions(readable, PosixFilePermissions.fromString("rwxrwxrwx"));
            String path = copied(readable, Program.JAR) + ":" + copied(readable, Program.fory()) + ":"
                    + classes(readable);
            Program program = new Program().onlyOn(path)
                    .by("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "bash", "-c", "ulimit -u 90; exec \"$@\"", "bash")
                    .with("-Draybatch.tmpdir=" + readable, "-XX:+UseSerialGC", "-XX:-UsePerfData");
            Process process = program.start(program.command(Launched.Nests.class.getName(), "300"), output);
            try {
                awaitText(process, output, "then 3");
                assertThat(Files.readString(output)).contains("failed with ")
                        .contains("ThreadLimitException: the system has no further thread for task").contains("ulimit -u");
                end(process, false);
            } finally {
                end(process, true);
            }
        } finally {
            try (Stream<Path> all = Files.walk(readable)) {
                all.sorted(java.util.Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
            }
        }
    }

    private static Path copied(Path to, Path file) throws IOException {
        Path copy = Files.copy(file, to.resolve(file.getFileName()), StandardCopyOption.REPLACE_EXISTING);
        Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rw-r--r--"));
        return copy;
    }

    private static Path classes(Path to) throws IOException {
        Path root = to.resolve("classes");
        Path inner = Files.createDirectories(root.resolve("io/raybatch"));
        try (var launched = Files.newDirectoryStream(Program.testClasses().resolve("io/raybatch"), "Launched*.class")) {
            for (Path one : launched) {
                copied(inner, one);
            }
        }
        for (Path one : List.of(root, root.resolve("io"), inner)) {
            Files.setPosixFilePermissions(one, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        return root;
    }
}
