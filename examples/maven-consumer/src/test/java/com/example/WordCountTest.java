package com.example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import java.util.List;
import org.junit.jupiter.api.Test;

class WordCountTest {

    @Test
    void onlyTheAnswerOutlivesTheRequest() {
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
            ObjectRef<String> answer = new WordCount(ray).count(List.of("to be or", "not to be"));
            assertEquals("{be=2, not=1, or=1, to=2}", ray.get(answer));
            assertEquals(1, ray.list().size());
        }
    }
}
