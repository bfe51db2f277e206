package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Stores that are opened otherwise than by default. */
class StoreKindsTest extends StoreTest {

    @Test
    void with_lru_eviction_ids_keep_their_batch_and_its_end_releases_nothing() {
        reopen(config -> config.eviction(Eviction.LRU));
        ObjectRef<byte[]> ref;
        try (Batch b = ray.startBatch()) {
            ref = b.put(bytes(1, 100));
            assertThat(ref.batchId()).isEqualTo(b.id());
        }
        assertThat(ref.get()).isEqualTo(bytes(1, 100));
        ray.startBatch(7);
        ObjectRef<byte[]> second = ray.put(bytes(2, 100));
        assertThat(ray.endBatch(7, true)).isEqualTo(GcResult.NONE);
        assertThat(second.get()).isEqualTo(bytes(2, 100));
        assertThat(ray.stats().live()).isEqualTo(200);
    }

    @Test
    void with_lru_eviction_what_is_in_a_live_batch_is_evicted_and_slots_say_so() {
        reopen(config -> config.eviction(Eviction.LRU).storeSize("8m"));
        try (Batch a = ray.startBatch()) {
            ObjectSlots slots = a.slots();
            byte[] kilobyte = bytes(1, 1024);
            long first = slots.put(kilobyte, 0, 1024);
            byte[] out = new byte[1024];
            assertThat(slots.get(first, out, 0, 1024)).isEqualTo(1024);
            assertThat(out).isEqualTo(kilobyte);
            ObjectRef<byte[]> ref = slots.ref(first);
            assertThat(ref.get()).isEqualTo(kilobyte);
            for (int i = 0; i < 20_000; i++) {
                slots.put(kilobyte, 0, 1024);
            }
            assertThat(slots.get(first, out, 0, 1024)).isEqualTo(-1);
            assertThatThrownBy(ref::get).isInstanceOf(ObjectLostException.class).hasMessageContaining("evicted");
            assertThat(ray.stats().evictedObjects()).isPositive();
        }
    }

    @Test
    void a_store_in_a_file_is_private_and_follows_no_link(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("arena");
        reopen(config -> config.storePath(file));
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file))).isEqualTo("rw-------");
        try (Batch b = ray.startBatch()) {
            assertThat(b.put(bytes(1, 1 << 20)).get()).isEqualTo(bytes(1, 1 << 20));
        }
        Path target = Files.createFile(folder.resolve("target"));
        Path link = Files.createSymbolicLink(folder.resolve("link"), target);
        assertThatThrownBy(() -> open(config -> config.storePath(link))).isInstanceOf(RayException.class);
        assertThat(target).isEmptyFile();
    }

    @Test
    void the_limit_of_remembered_batches_is_the_limit() {
        reopen(config -> config.tombstones(10));
        for (long id = 1; id <= 30; id++) {
            ray.startBatch(id);
            ray.endBatch(id, true);
        }
        assertThat(ray.status(30).state()).isEqualTo(BatchState.COLLECTED);
        assertThatThrownBy(() -> ray.status(1)).isInstanceOf(BatchNotFoundException.class);
    }
}
