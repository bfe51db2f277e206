package io.raybatch.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** The rows as text, those of one work under each other. */
final class Table {

    private static final String LINE = "%-12s %8s %10s %-4s %-8s  %-15s %12s %10s %-5s %9s  %s";

    private Table() {}

    static String of(Results results) {
        List<String> lines = new ArrayList<>();
        for (boolean newer : new boolean[] {false, true}) {
            List<Measured> rows = results.rows().stream().filter(one -> one.row().newer() == newer).toList();
            if (!rows.isEmpty()) {
                lines.add("");
                lines.add("JDK " + results.versions().get(newer ? "newer_jdk" : "jdk"));
                lines.add(line("work", "size", "count", "", "order", "subject", "median", "±", "unit", "ratio", ""));
                Row before = null;
                for (Measured one : rows) {
                    Row group = one.row().of("");
                    boolean first = !group.equals(before);
                    lines.add(row(results, one, first));
                    before = group;
                }
            }
        }
        if (!results.rust().isEmpty()) {
            lines.add("");
            lines.add("Rust (Criterion)");
            for (Criterion.Estimate one : results.rust()) {
                lines.add(String.format(Locale.ROOT, "%-56s %12s ± %s ns", one.id(), figure(one.median()), figure(one.error())));
            }
        }
        return String.join("\n", lines);
    }

    private static String row(Results results, Measured one, boolean first) {
        Row row = one.row();
        var ratio = results.ratio(one);
        String further = one.further().entrySet().stream()
                .map(Table::further)
                .collect(Collectors.joining(", "));
        return line(first ? row.work().label() : "", first ? "" + row.size() : "", first ? "" + row.count() : "",
                first ? row.warm() ? "warm" : "cold" : "", first ? row.order() : "", row.subject(), figure(one.median()),
                figure(one.error()), row.work().unit(), ratio.isPresent() ? figure(ratio.getAsDouble()) + " x" : "", further);
    }

    private static String further(Map.Entry<String, Double> one) {
        return one.getKey() + " " + figure(one.getValue());
    }

    private static String line(String... cells) {
        return String.format(Locale.ROOT, LINE, (Object[]) cells).stripTrailing();
    }

    /** Three digits, or all before the point. */
    static String figure(double value) {
        double size = Math.abs(value);
        int after = size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : (int) Math.min(6, 2 - Math.floor(Math.log10(size)));
        return String.format(Locale.ROOT, "%,." + after + "f", value);
    }
}
