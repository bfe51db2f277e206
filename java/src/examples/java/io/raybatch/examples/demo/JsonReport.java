package io.raybatch.examples.demo;

import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** {@code report.json}. Milliseconds and bytes; {@link RunResult} says what each is. */
final class JsonReport {

    private JsonReport() {}

    static String of(Graph graph, long seed, List<RunResult> runs, BesideResult beside) {
        Map<String, Object> root = new LinkedHashMap<>();
        Map<String, Object> g = new LinkedHashMap<>();
        g.put("name", graph.name());
        g.put("nodes", graph.nodes());
        g.put("edges", graph.edges());
        root.put("graph", g);
        root.put("runs", runs.stream().map(JsonReport::run).toList());
        if (beside != null) {
            root.put("beside", beside(beside));
        }
        root.put("seed", seed);
        root.put("budget_ms", runs.get(0).budgetMs());
        return json(root, "") + "\n";
    }

    private static Map<String, Object> run(RunResult r) {
        Map<String, Object> run = new LinkedHashMap<>();
        run.put("mode", r.mode().label());
        run.put("requests", r.requests());
        run.put("objects", r.objects());
        run.put("requests_per_s", r.requestsPerSecond());
        run.put("p50_ms", r.percentile(0.5));
        run.put("p99_ms", r.percentile(0.99));
        run.put("max_ms", r.maxMs());
        run.put("a_objects", SignatureJob.OBJECTS);
        run.put("a_evicted", r.aEvicted());
        run.put("a_rebuilt", r.aRebuilt());
        run.put("a_rebuild_ms", r.aRebuildMs());
        run.put("peak_bytes", r.peakBytes());
        run.put("end_bytes", r.endBytes());
        run.put("a_bytes", r.aBytes());
        run.put("kept_bytes", r.keptBytes());
        run.put("jvm_gc_count", r.jvm().count());
        run.put("jvm_gc_ms", r.jvm().millis());
        run.put("store_bytes", r.capacity());
        run.put("wall_s", r.wallSeconds());
        run.put("over_budget", r.overBudget());
        if (r.tasks() == null) {
            run.put("put_ms", r.putMs());
            run.put("read_ms", r.readMs());
        } else {
            run.put("tasks", r.tasks().count());
            run.put("tasks_per_request", (double) r.tasks().count() / r.requests());
            run.put("tasks_max", r.tasks().most());
            run.put("cancelled", r.tasks().cancelled());
        }
        run.put("end_ms", r.endMs());
        run.put("answers_kept", r.answersKept());
        run.put("evicted_objects", r.evicted());
        run.put("spilled_bytes", r.spilled());
        run.put("request_objects_lost", r.ownLost());
        return run;
    }

    private static Map<String, Object> beside(BesideResult r) {
        Map<String, Object> beside = new LinkedHashMap<>();
        beside.put("small_objects_max", r.most());
        beside.put("large_objects", r.large());
        beside.put("large_s", r.seconds());
        beside.put("store_bytes", r.capacity());
        beside.put("spilled_bytes", r.spilled());
        beside.put("alone_requests", r.alone().length);
        beside.put("alone_p99_ms", r.p99Alone());
        beside.put("beside_requests", r.beside().length);
        beside.put("beside_p99_ms", r.p99Beside());
        return beside;
    }

    private static String json(Object value, String indent) {
        String deeper = indent + "  ";
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream()
                    .map(e -> deeper + quote(e.getKey().toString()) + ": " + json(e.getValue(), deeper))
                    .collect(Collectors.joining(",\n", "{\n", "\n" + indent + "}"));
        }
        if (value instanceof List<?> list) {
            return list.stream().map(e -> deeper + json(e, deeper)).collect(Collectors.joining(",\n", "[\n", "\n" + indent + "]"));
        }
        if (value instanceof Double number) {
            return BigDecimal.valueOf(number).setScale(3, RoundingMode.HALF_UP).stripTrailingZeros().toPlainString();
        }
        return value instanceof Number ? value.toString() : quote(value.toString());
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }
}
