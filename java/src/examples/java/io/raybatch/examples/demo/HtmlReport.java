package io.raybatch.examples.demo;

import java.util.List;
import java.util.Locale;

/** {@code report.html}: a page that needs nothing but itself, in light and dark. */
final class HtmlReport {

    private static final String STYLE = """
            :root{color-scheme:light dark;--ink:#1f2933;--soft:#616e7c;--ground:#f5f7fa;--card:#ffffff;--rule:#e4e7eb;--over:#b91c1c}
            @media (prefers-color-scheme:dark){:root{--ink:#e4e7eb;--soft:#9aa5b1;--ground:#0f161d;--card:#17202a;--rule:#323f4b;--over:#fca5a5}}
            body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
            main{max-width:960px;margin:0 auto;padding:2rem 1rem 4rem}
            h1{font-size:1.6rem;line-height:1.25;margin:0 0 .4rem}h2{font-size:1.15rem;margin:2.2rem 0 .6rem}
            p{margin:.5rem 0}.lead{font-size:1.1rem}.soft,footer{color:var(--soft)}
            figure{margin:1.2rem 0;background:var(--card);border:1px solid var(--rule);border-radius:10px;overflow-x:auto}
            figure svg{display:block;width:100%;min-width:560px;height:auto}
            .table{background:var(--card);border:1px solid var(--rule);border-radius:10px;overflow-x:auto}
            table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
            th,td{padding:.42rem 1rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
            tbody tr:last-child>*{border-bottom:0}th:first-child{text-align:left}tbody th{font-weight:400}
            .over{color:var(--over);font-weight:600}dt{font-weight:600;margin-top:.6rem}dd{margin:0;color:var(--soft)}
            .failed{border:2px solid var(--over);border-radius:10px;padding:.6rem 1rem}
            """;

    private HtmlReport() {}

    static String of(Requests requests, List<RunResult> runs, BesideResult beside) {
        Comparison comparison = new Comparison(runs, beside);
        StringBuilder page = new StringBuilder();
        page.append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
                .append("<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n")
                .append("<title>raybatch: graph requests beside a long job</title>\n<style>\n").append(STYLE)
                .append("</style>\n</head>\n<body>\n<main>\n<h1>Graph requests beside a long job</h1>\n");
        for (String sentence : comparison.sentences()) {
            page.append("<p class=\"lead\">").append(Plot.text(sentence)).append("</p>\n");
        }
        page.append("<p class=\"soft\">").append(Plot.text(setting(requests, runs))).append("</p>\n");
        for (String failure : comparison.failures()) {
            page.append("<p class=\"failed\"><strong>A check failed:</strong> ").append(Plot.text(failure)).append("</p>\n");
        }
        page.append("<figure>\n").append(Charts.footprint(runs)).append("</figure>\n");
        page.append("<figure>\n").append(Charts.latency(runs)).append("</figure>\n");
        table(page, comparison, runs);
        if (beside != null) {
            table(page, beside);
        }
        words(page, runs);
        page.append("</main>\n</body>\n</html>\n");
        return page.toString();
    }

    private static String setting(Requests requests, List<RunResult> runs) {
        return String.format(Locale.ROOT, "%s: %,d nodes, %,d edges. %,d requests, the largest of %,d objects; a store of %s for"
                        + " %s runs; seed %d; JDK %s on %d processors.",
                requests.graph().name(), requests.graph().nodes(), requests.graph().edges(), requests.count(), requests.largest(),
                Comparison.bytes(runs.get(0).capacity()), runs.size() > 2 ? "all" : "both", requests.seed(), Runtime.version().feature(),
                Runtime.getRuntime().availableProcessors());
    }

    private static void table(StringBuilder page, Comparison comparison, List<RunResult> runs) {
        page.append("<h2>In figures</h2>\n<div class=\"table\"><table>\n<thead><tr><th scope=\"col\"><span class=\"soft\">the same"
                + " requests</span></th>");
        runs.forEach(run -> page.append("<th scope=\"col\">").append(run.mode().heading()).append("</th>"));
        page.append("</tr></thead>\n<tbody>\n");
        for (Comparison.Row row : comparison.rows()) {
            String label = Plot.text(row.label());
            page.append("<tr><th scope=\"row\">").append(label.startsWith("  ") ? "&emsp;" + label.strip() : label).append("</th>");
            row.cells().forEach(cell -> cell(page, cell.value(), cell.over()));
            page.append("</tr>\n");
        }
        page.append("</tbody>\n</table></div>\n");
    }

    private static void table(StringBuilder page, BesideResult beside) {
        page.append("<h2>Beside a request larger than memory</h2>\n<div class=\"table\"><table>\n<thead><tr><th></th>"
                + "<th scope=\"col\">alone</th><th scope=\"col\">beside a large one</th></tr></thead>\n<tbody>\n");
        for (List<String> row : beside.rows()) {
            page.append("<tr><th scope=\"row\">").append(Plot.text(row.get(0))).append("</th>");
            row.subList(1, row.size()).forEach(value -> cell(page, value, false));
            page.append("</tr>\n");
        }
        page.append("</tbody>\n</table></div>\n<p class=\"soft\">Each small request is a batch that is latency-sensitive: nothing of it is"
                + " ever written to a file. Small and large ones are in groups of their own; the store spills of the one that has most. Latencies count from the moment at which a request was due.</p>\n");
    }

    private static void cell(StringBuilder page, String value, boolean over) {
        page.append(over ? "<td class=\"over\" title=\"over the budget\">" : "<td>").append(Plot.text(value));
        page.append(over ? " !</td>" : "</td>");
    }

    private static void words(StringBuilder page, List<RunResult> runs) {
        String words = """
                <h2>What was run</h2>
                <dl>
                <dt>A request</dt><dd>From a start node, drawn in proportion to degree, three hops; at each the first 300 neighbours.
                Every node of that tree becomes an object of 64 bytes in the store, all are read back, their weighted sum is the
                answer, and the only object that is kept. Each answer was compared with one computed without a store.</dd>
                <dt>Job A</dt><dd>Holds 16,384 objects of 1 KiB all along and reads 256 of them after every fifth request. One that is
                missing is computed and put again.</dd>
                <dt>lru</dt><dd>The old store: ending a batch releases nothing; when room is short, what was used least recently goes.</dd>
                <dt>batch</dt><dd>A request is a batch: when it ends, all it put is released at once, and nothing else is.</dd>
                %s<dt>Latency</dt><dd>From the start of a request to its end and the collection of its batch. <span class="over">!</span>
                marks what is over the budget of %.0f ms.</dd>
                <dt>Time goes to</dt><dd>All requests' latencies together: copying features into the store, 256 objects at once; reading
                each object back and adding it up; ending the batch and collecting it. In batches all processors put and read
                for one request; in the old store, which has one lock, one does: two are slower.</dd>
                <dt>A's objects evicted</dt><dd>Evictions, not objects: each that a read found missing, and each missing after the
                last request.</dd>
                <dt>Bytes in use</dt><dd>Memory lent to objects, with their index and what is rounded up. Live bytes are payload alone. The old
                store keeps its index outside of the store's memory.</dd>
                </dl>
                """;
        String tasks = """
                <dt>batch of tasks</dt><dd>A request is a batch of tasks, hop by hop. A task puts the neighbours of up to %d nodes, reads
                them back while they are in the processor's cache, adds them up, and submits tasks for the next hop; a last one adds
                up what all returned.%s</dd>
                """;
        String cancels = " One that is not served within the budget is cancelled: its latency is until its last task is over and"
                + " the batch collected, and its objects are not counted.";
        RunResult last = runs.get(runs.size() - 1);
        String more = last.tasks() == null
                ? ""
                : tasks.formatted(TaskRequest.WIDTH, last.cancelled() == 0 ? "" : cancels);
        page.append(String.format(Locale.ROOT, words, more, last.budgetMs()));
    }
}
