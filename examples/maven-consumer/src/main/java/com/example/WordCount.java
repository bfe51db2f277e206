package com.example;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Counts words in many small pieces, all of which are gone when the request is over; only the answer is kept. */
public final class WordCount {

    private final RayApi ray;

    /** Counts in this store. */
    public WordCount(RayApi ray) {
        this.ray = ray;
    }

    /** Counts the words of all lines. The answer outlives the request; the words do not. */
    public ObjectRef<String> count(List<String> lines) {
        try (Batch request = ray.startBatch()) {
            List<ObjectRef<String>> words = new ArrayList<>();
            for (String line : lines) {
                for (String word : line.toLowerCase().split("\\W+")) {
                    words.add(request.put(word));
                }
            }
            Map<String, Integer> counts = new TreeMap<>();
            for (ObjectRef<String> word : words) {
                counts.merge(ray.get(word), 1, Integer::sum);
            }
            ObjectRef<String> answer = request.put(counts.toString());
            request.keep(answer);
            return answer;
        }
    }
}
