package io.raybatch;

import static io.raybatch.Pressure.Level.FULL;
import static io.raybatch.Pressure.Level.HIGH;
import static io.raybatch.Pressure.Level.NORMAL;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who wants to know how short memory is, and who holds on to it. */
class PressureTest extends StoreTest {

    @BeforeEach
    void openSmallStore() {
        reopen(config -> config.storeSize("16m"));
    }

    @Test
    void a_level_is_left_later_than_it_is_reached() {
        assertThat(NORMAL.next(79, 100)).isEqualTo(NORMAL);
        assertThat(NORMAL.next(80, 100)).isEqualTo(HIGH);
        assertThat(NORMAL.next(95, 100)).isEqualTo(FULL);
        assertThat(HIGH.next(70, 100)).isEqualTo(HIGH);
        assertThat(HIGH.next(94, 100)).isEqualTo(HIGH);
        assertThat(HIGH.next(69, 100)).isEqualTo(NORMAL);
        assertThat(FULL.next(90, 100)).isEqualTo(FULL);
        assertThat(FULL.next(89, 100)).isEqualTo(HIGH);
        assertThat(FULL.next(10, 100)).isEqualTo(NORMAL);
    }

    @Test
    void a_listener_is_told_of_each_change_and_may_use_the_store() throws Exception {
        BlockingQueue<Pressure> told = new LinkedBlockingQueue<>();
        try (AutoCloseable listening = ray.onPressure(pressure -> {
            ray.memory();
            told.add(pressure);
            throw new IllegalStateException("which is logged");
        })) {
            assertThat(listening).isNotNull();
            try (Batch b = ray.startBatch()) {
                for (int n = 0; n < 140; n++) {
                    b.put(bytes(n, 100_000));
                }
                Pressure high = told.poll(20, TimeUnit.SECONDS);
                assertThat(high).isNotNull();
                assertThat(high.level()).isEqualTo(HIGH);
                assertThat(high.capacity()).isEqualTo(16 << 20);
                assertThat(high.used() * 100).as("from 80 % on").isGreaterThanOrEqualTo(high.capacity() * 80);
                assertThat(told).as("told once").isEmpty();
            }
            assertThat(told.poll(20, TimeUnit.SECONDS)).extracting(Pressure::level).isEqualTo(NORMAL);
        }
        try (Batch b = ray.startBatch()) {
            for (int n = 0; n < 140; n++) {
                b.put(bytes(n, 100_000));
            }
            Thread.sleep(50);
            assertThat(told).as("nobody listens any more").isEmpty();
        }
    }

    @Test
    void what_is_pinned_stays_in_memory_until_it_is_unpinned_as_often(@TempDir Path directory) {
        reopen(config -> config.storeSize("16m").spillDirectory(directory));
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            for (int n = 0; n < 3; n++) {
                refs.add(b.put(bytes(n, 100_000)));
            }
            ray.internal().pin(refs.get(0));
            ray.internal().pin(refs.get(0));
            ray.internal().spill();
            assertThat(b.status().spilled()).isEqualTo(200_000);
            assertThat(ray.internal().unpin(refs.get(0))).isTrue();
            ray.internal().spill();
            assertThat(b.status().spilled()).isEqualTo(200_000);
            assertThat(ray.internal().unpin(refs.get(0))).isTrue();
            assertThat(ray.internal().unpin(refs.get(0))).isFalse();
            ray.internal().spill();
            assertThat(b.status().spilled()).isEqualTo(300_000);
            for (int n = 0; n < 3; n++) {
                assertThat(ray.get(refs.get(n))).isEqualTo(bytes(n, 100_000));
            }
        }
    }
}
