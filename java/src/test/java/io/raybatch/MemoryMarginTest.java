package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a store leaves to other programs, and what it does when they take something from it. */
class MemoryMarginTest {

    @Test
    void a_store_takes_no_memory_that_is_left_to_other_programs() {
        assertThatThrownBy(() -> RayApi.open(
                        RayConfig.builder().storeSize("8m").memoryMargin("4096g").build()))
                .isInstanceOf(StoreOpenException.class)
                .hasMessageContaining("are left to other programs (memoryMargin)");
        try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("8m").memoryMargin(0).build());
                Batch batch = ray.startBatch()) {
            assertThat(batch.put(new byte[100_000]).get()).hasSize(100_000);
        }
    }

    @Test
    void the_margin_is_an_option() {
        assertThat(RayConfig.defaults().memoryMargin()).isEmpty();
        assertThat(RayConfig.builder().memoryMargin("64m").build().memoryMargin()).hasValue(64 << 20);
        System.setProperty("raybatch.memoryMargin", "32m");
        try {
            assertThat(RayConfig.defaults().memoryMargin()).hasValue(32 << 20);
        } finally {
            System.clearProperty("raybatch.memoryMargin");
        }
        assertThatThrownBy(() -> RayConfig.builder().memoryMargin(-1))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("memoryMargin is -1");
    }

    /** Other programs tidy up folders of temporary files. */
    @Test
    void a_store_goes_on_spilling_when_its_folder_was_removed(@TempDir Path parent) throws Exception {
        Path folder = parent.resolve("spill");
        RayConfig config = RayConfig.builder().storeSize("16m").spillDirectory(folder).build();
        try (RayApi ray = RayApi.open(config)) {
            try (Stream<Path> all = Files.walk(folder)) {
                for (Path path : all.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            List<Batch> batches = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                Batch batch = ray.startBatch(BatchOptions.builder().id(i + 1).build());
                batches.add(batch);
                for (int k = 0; k < 10; k++) {
                    byte[] value = new byte[100_000];
                    value[k] = (byte) i;
                    refs.add(batch.put(value));
                }
            }
            for (int i = 0; i < 40; i++) {
                assertThat(refs.get(i * 10 + 3).get()[3]).isEqualTo((byte) i);
            }
            batches.forEach(Batch::close);
        }
    }
}
