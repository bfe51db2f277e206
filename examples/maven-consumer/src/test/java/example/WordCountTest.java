package example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import io.raybatch.junit.LeakDetectionExtension;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(LeakDetectionExtension.class)
class WordCountTest {

    @Test
    void a_request_leaves_nothing_but_its_answer() {
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
            long before = ray.stats().objects();

            Map<String, Integer> counts = new WordCount(ray).count(List.of("To be, or not to be:", "that is the question"));

            assertEquals(
                    Map.of("to", 2, "be", 2, "or", 1, "not", 1, "that", 1, "is", 1, "the", 1, "question", 1), counts);
            assertEquals(before, ray.stats().objects());
        }
    }
}
