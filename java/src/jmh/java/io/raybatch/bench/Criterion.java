package io.raybatch.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Reads what Criterion left of its newest run: {@code …/new/estimates.json}, and the id in {@code benchmark.json} beside it. */
final class Criterion {

    private static final Path ESTIMATES = Path.of("new", "estimates.json");
    private static final Pattern ID = Pattern.compile("\"full_id\"\\s*:\\s*\"([^\"]*)\"");
    private static final Pattern ELEMENTS = Pattern.compile("\"Elements\"\\s*:\\s*(\\d+)");
    private static final Pattern MEDIAN =
            Pattern.compile("\"median\"\\s*:\\s*\\{.*?\"point_estimate\"\\s*:\\s*([^,}]+),\\s*\"standard_error\"\\s*:\\s*([^,}]+)", Pattern.DOTALL);

    /**
     * Of one benchmark.
     *
     * @param id work/subject/size/count
     * @param median nanoseconds of an object where the benchmark says how many an iteration has ({@code Elements}), else
     *     of an iteration
     * @param error standard error of the median
     */
    record Estimate(String id, double median, double error) {}

    private Criterion() {}

    /** All there are in the folder, by id; none if there is no such folder. */
    static List<Estimate> read(Path folder) throws IOException {
        List<Estimate> estimates = new ArrayList<>();
        if (folder != null && Files.isDirectory(folder)) {
            List<Path> found;
            try (Stream<Path> files = Files.walk(folder)) {
                found = files.filter(file -> file.endsWith(ESTIMATES)).sorted().toList();
            }
            for (Path file : found) {
                Matcher median = MEDIAN.matcher(Files.readString(file));
                String about = Files.readString(file.resolveSibling("benchmark.json"));
                Matcher id = ID.matcher(about);
                if (median.find() && id.find()) {
                    Matcher elements = ELEMENTS.matcher(about);
                    double each = elements.find() ? Double.parseDouble(elements.group(1)) : 1;
                    estimates.add(new Estimate(id.group(1), Double.parseDouble(median.group(1)) / each,
                            Double.parseDouble(median.group(2)) / each));
                }
            }
        }
        return estimates;
    }
}
