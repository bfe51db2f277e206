package example;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Counts words. Each line's words are an object of the request's batch; when the answer is made, they are gone. */
public final class WordCount {

    /** The words of one line. Records need no serializer of one's own. */
    public record Line(int number, List<String> words) {}

    private final RayApi ray;

    public WordCount(RayApi ray) {
        this.ray = ray;
    }

    /** How often each word occurs, in alphabetical order. */
    public Map<String, Integer> count(List<String> text) {
        try (Batch request = ray.startBatch()) {
            List<ObjectRef<Line>> lines = new ArrayList<>();
            for (String line : text) {
                lines.add(request.put(new Line(lines.size() + 1, wordsOf(line))));
            }
            Map<String, Integer> counts = new TreeMap<>();
            for (ObjectRef<Line> line : lines) {
                line.get().words().forEach(word -> counts.merge(word, 1, Integer::sum));
            }
            return counts;
        }
    }

    private static List<String> wordsOf(String line) {
        List<String> words = new ArrayList<>();
        for (String word : line.toLowerCase().split("\\W+")) {
            if (!word.isEmpty()) {
                words.add(word);
            }
        }
        return words;
    }

    /** Prints the ten most frequent words of a file. */
    public static void main(String[] args) throws IOException {
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("64m").build())) {
            new WordCount(ray)
                    .count(Files.readAllLines(Path.of(args[0]))).entrySet().stream()
                    .sorted(Map.Entry.<String, Integer>comparingByValue(Comparator.reverseOrder()))
                    .limit(10)
                    .forEach(e -> System.out.println(e.getValue() + " " + e.getKey()));
        }
    }
}
