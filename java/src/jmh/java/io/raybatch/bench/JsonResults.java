package io.raybatch.bench;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** {@code results.json}. */
final class JsonResults {

    private static final MathContext DIGITS = new MathContext(6);

    private JsonResults() {}

    static String of(Results results) {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("machine", results.machine());
        root.put("versions", results.versions());
        root.put("rows", results.rows().stream().map(one -> row(results, one)).toList());
        root.put("rust", results.rust().stream().map(JsonResults::estimate).toList());
        return json(root, "") + "\n";
    }

    private static Map<String, Object> row(Results results, Measured one) {
        Row row = one.row();
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("work", row.work().label());
        map.put("subject", row.subject());
        map.put("size", row.size());
        map.put("count", row.count());
        map.put("threads", row.threads());
        map.put("warm", row.warm());
        map.put("order", row.order());
        map.put("median", one.median());
        map.put("error", one.error());
        map.put("unit", row.work().unit());
        results.ratio(one).ifPresent(ratio -> map.put("ratio", ratio));
        map.put("samples", one.samples());
        map.put("jdk", row.newer() ? "newer" : "own");
        map.putAll(one.further());
        return map;
    }

    private static Map<String, Object> estimate(Criterion.Estimate one) {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("id", one.id());
        map.put("median", one.median());
        map.put("error", one.error());
        map.put("unit", "ns");
        return map;
    }

    private static String json(Object value, String indent) {
        String deeper = indent + "  ";
        if (value instanceof Map<?, ?> map) {
            // a row is a line
            boolean flat = map.values().stream().noneMatch(one -> one instanceof Map || one instanceof List);
            var entries = map.entrySet().stream().map(e -> quote(e.getKey().toString()) + ": " + json(e.getValue(), deeper));
            return flat
                    ? entries.collect(Collectors.joining(", ", "{", "}"))
                    : entries.collect(Collectors.joining(",\n" + deeper, "{\n" + deeper, "\n" + indent + "}"));
        }
        if (value instanceof List<?> list) {
            if (list.isEmpty()) {
                return "[]";
            }
            return list.stream().map(e -> deeper + json(e, deeper)).collect(Collectors.joining(",\n", "[\n", "\n" + indent + "]"));
        }
        if (value instanceof Double number) {
            return Double.isFinite(number) ? new BigDecimal(number, DIGITS).stripTrailingZeros().toPlainString() : "null";
        }
        return value instanceof Number || value instanceof Boolean ? value.toString() : quote(value.toString());
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
