package io.raybatch.examples.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.raybatch.Ray;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {

    @TempDir
    Path folder;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @BeforeEach
    @AfterEach
    void noStoreIsOpen() {
        Ray.shutdown();
    }

    private int run(String... args) {
        return Main.run(stream(out), stream(err), false, args);
    }

    private static PrintStream stream(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    private static String text(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /** Large enough that 60 requests fill the store several times over. */
    private Path graph() throws IOException {
        return graph(1500, 12_000);
    }

    private Path graph(int nodes, int count) throws IOException {
        StringBuilder edges = new StringBuilder("# made up\n");
        SplittableRandom random = new SplittableRandom(11);
        for (int i = 0; i < count; i++) {
            edges.append(random.nextInt(nodes)).append('\t').append(random.nextInt(nodes)).append('\n');
        }
        return Files.writeString(folder.resolve("graph.txt"), edges);
    }

    private static double number(String json, String mode, String key) {
        String run = json.substring(json.indexOf("\"mode\": \"" + mode + '"'));
        Matcher value = Pattern.compile('"' + key + "\": ([-0-9.]+)").matcher(run);
        assertThat(value.find()).as(key).isTrue();
        return Double.parseDouble(value.group(1));
    }

    @Test
    void bothRunsAreReportedAndBatchesLoseNothing() throws Exception {
        int code = run("--graph", graph().toString(), "--requests=60", "--out", folder.resolve("out").toString());
        assertThat(text(err)).isEmpty();
        assertThat(code).isZero();
        assertThat(text(out)).contains("] 100 %  60/60 requests", "A's objects evicted", "report.html");

        String json = Files.readString(folder.resolve("out/report.json"));
        assertThat(json).startsWith("{\n  \"graph\": {\n    \"name\": \"graph.txt\",\n    \"nodes\": 1500,\n    \"edges\": ");
        for (String mode : new String[] {"lru", "batch"}) {
            assertThat(number(json, mode, "requests")).isEqualTo(60);
            assertThat(number(json, mode, "a_objects")).isEqualTo(16_384);
            for (String key : new String[] {"objects", "requests_per_s", "p50_ms", "p99_ms", "max_ms", "a_evicted", "a_rebuilt",
                    "a_rebuild_ms", "peak_bytes", "end_bytes", "a_bytes", "kept_bytes", "jvm_gc_count", "jvm_gc_ms"}) {
                assertThat(number(json, mode, key)).as(key).isNotNegative();
            }
        }
        assertThat(number(json, "lru", "objects")).isEqualTo(number(json, "batch", "objects"));
        assertThat(number(json, "lru", "a_evicted")).isPositive();
        assertThat(number(json, "lru", "a_rebuilt")).isPositive();
        assertThat(number(json, "batch", "a_evicted")).isZero();
        assertThat(number(json, "batch", "a_bytes")).isEqualTo(16_384 * 1024);
        assertThat(number(json, "batch", "kept_bytes")).isEqualTo(60 * 64);

        String page = Files.readString(folder.resolve("out/report.html"));
        assertThat(page).contains("<svg", "Bytes in use over time", "</html>").doesNotContain("src=", "href=", "@import", "url(");
        assertThat(json + page + text(out)).as("tasks were not asked for").doesNotContain("\"tasks\"", "batch of tasks", "cancelled");
    }

    @Test
    void requestsRunAsTasksBesideTheOthers() throws Exception {
        int code = run("--graph", graph().toString(), "--requests=20", "--tasks", "true", "--out", folder.toString());
        assertThat(text(err)).isEmpty();
        assertThat(code).isZero();
        assertThat(text(out)).contains("] 100 %  20/20 requests", "batch of tasks", "tasks a request, mean", "none of 20 were cancelled");

        String json = Files.readString(folder.resolve("report.json"));
        assertThat(number(json, "tasks", "objects")).isEqualTo(number(json, "batch", "objects"));
        assertThat(number(json, "tasks", "tasks_per_request")).isGreaterThan(3);
        assertThat(number(json, "tasks", "tasks_max")).isGreaterThan(number(json, "tasks", "tasks_per_request"));
        assertThat(number(json, "tasks", "cancelled")).isZero();
        assertThat(number(json, "tasks", "kept_bytes")).isEqualTo(20 * 64);
        assertThat(number(json, "tasks", "a_evicted")).isZero();
        assertThat(Files.readString(folder.resolve("report.html"))).contains("class=\"thick tasks\"", ">batch of tasks</th>");
    }

    @Test
    void requestsOverTheirBudgetAreCancelledAndCounted() throws Exception {
        int code = run("--graph", graph().toString(), "--requests=20", "--tasks=true", "--cancel=true", "--budget=0", "--out",
                folder.toString());
        assertThat(text(err)).isEmpty();
        assertThat(code).isZero();

        String json = Files.readString(folder.resolve("report.json"));
        double cancelled = number(json, "tasks", "cancelled");
        assertThat(cancelled).isPositive();
        assertThat(number(json, "tasks", "answers_kept")).isEqualTo(20 - cancelled);
        assertThat(number(json, "batch", "answers_kept")).as("only tasks are cancelled").isEqualTo(20);
        assertThat(json).contains("\"budget_ms\": 0");
        assertThat(text(out)).contains("of 20 were cancelled", "requests over 0 ms");
    }

    @Test
    void onlyTasksAreCancelled() {
        assertThat(run("--cancel=true")).isEqualTo(2);
        assertThat(text(err)).contains("--cancel", "--tasks true");
    }

    @Test
    void aStoreTooSmallIsAMessage() throws Exception {
        int code = run("--graph", graph().toString(), "--requests", "5", "--store", "100k", "--out", folder.toString());
        assertThat(code).isEqualTo(1);
        assertThat(text(err)).startsWith("demo: ").doesNotContain("\tat ");
    }

    /** Job A alone has 16 MiB. */
    @Test
    void aRequestLargerThanMemoryCompletesThroughFiles() throws Exception {
        int code = run("--graph", graph().toString(), "--requests", "20", "--store", "12m", "--out", folder.toString());
        assertThat(text(err)).isEmpty();
        assertThat(code).isZero();
        assertThat(text(out)).contains("bytes written to files");
        String json = Files.readString(folder.resolve("report.json"));
        assertThat(number(json, "batch", "spilled_bytes")).isPositive();
        assertThat(number(json, "batch", "a_evicted")).isZero();
        assertThat(number(json, "batch", "a_bytes")).isEqualTo(16_384 * 1024);
    }

    /** Some 250,000 objects of 80 bytes with their index, in 12 MiB. */
    @Test
    void smallRequestsAreServedBesideOneLargerThanMemory() throws Exception {
        Path graph = graph(200, 6_000);
        StringBuilder path = new StringBuilder();
        for (int node = 1000; node < 1100; node++) {
            path.append(node).append(' ').append(node + 1).append('\n'); // small ones
        }
        Files.writeString(graph, path, StandardOpenOption.APPEND);
        int code = run("--graph", graph.toString(), "--requests", "8", "--store", "12m", "--out", folder.toString());
        assertThat(text(err)).isEmpty();
        assertThat(code).isZero();
        assertThat(text(out)).contains("alone beside a large one", "small requests", "Small requests of up to");
        String json = Files.readString(folder.resolve("report.json"));
        String beside = json.substring(json.indexOf("\"beside\": {"));
        for (String key : new String[] {"large_objects", "large_s", "spilled_bytes", "alone_p99_ms", "beside_p99_ms"}) {
            Matcher value = Pattern.compile('"' + key + "\": ([0-9.]+)").matcher(beside);
            assertThat(value.find() && Double.parseDouble(value.group(1)) > 0).as(key).isTrue();
        }
        assertThat(Files.readString(folder.resolve("report.html"))).contains("Beside a request larger than memory");
        assertThat(folder.resolve("spill")).isEmptyDirectory();
    }

    @Test
    void aMalformedGraphIsAMessageWithFileAndLine() throws Exception {
        Path bad = Files.writeString(folder.resolve("bad.txt"), "1 2\n3 x\n");
        assertThat(run("--graph", bad.toString(), "--out", folder.toString())).isEqualTo(2);
        assertThat(text(err)).startsWith("demo: " + bad + ":2: ").doesNotContain("\tat ").hasLineCount(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"--nodes=3", "--requests", "--requests=0", "--requests=many", "--store=big", "--seed=x", "--out=", "--tasks=yes", "--cancel=", "--budget=-1", "graph.txt"})
    void optionsThatCannotBeAreRefused(String option) {
        assertThat(run(option)).isEqualTo(2);
        assertThat(text(err)).startsWith("demo: ").contains(option.replaceFirst("=.*", ""));
    }

    @Test
    void helpNamesEveryOption() {
        assertThat(run("--help")).isZero();
        assertThat(text(out)).contains("--graph", "--requests", "--store", "--seed", "--out", "--tasks", "--cancel", "--budget");
    }
}
