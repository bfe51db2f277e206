package example;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.raybatch.Batch;
import io.raybatch.ObjectRef;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import org.junit.jupiter.api.Test;

class NeighbourhoodTest {

    private static final int[][] PATH = {{1}, {0, 2}, {1, 3}, {2, 4}, {3}};

    @Test
    void the_answer_outlives_its_request_and_goes_with_the_batch_around_it() {
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
            long before = ray.stats().objects();
            try (Batch session = ray.startBatch()) {
                ObjectRef<int[]> near = new Neighbourhood(ray, PATH).within(2, 1);

                assertArrayEquals(new int[] {0, 1, 2, 3}, session.get(near));
                assertEquals(before + 1, ray.stats().objects());
            }
            assertEquals(before, ray.stats().objects());
        }
    }
}
