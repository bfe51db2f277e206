package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** When memory is short, batches go to files. */
class SpillTest extends StoreTest {

    private static final int SIZE = 100_000;

    @TempDir
    Path directory;

    @BeforeEach
    void openStoreThatSpills() {
        reopen(config -> config.storeSize("16m").spillDirectory(directory));
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            return all.filter(path -> path.toString().endsWith(".spill")).toList();
        }
    }

    @Test
    void c24_a_batch_larger_than_memory_is_put_and_read_and_collected_with_one_file() throws IOException {
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<byte[]>> large = new ArrayList<>();
            for (int n = 0; n < 500; n++) {
                large.add(b.put(bytes(n, SIZE)));
            }
            byte[] many = bytes(7, 64 * 50_000);
            long[] slots = new long[50_000];
            b.slots().putAll(many, 0, 64, 50_000, slots, 0);
            assertThat(b.status().spilled()).isGreaterThan(20L << 20).isLessThan(b.status().bytes());
            assertThat(files()).hasSize(1);
            for (int n = 0; n < large.size(); n++) {
                assertThat(ray.get(large.get(n))).isEqualTo(bytes(n, SIZE));
            }
            byte[] one = new byte[64];
            for (int n = 0; n < slots.length; n++) {
                assertThat(b.slots().get(slots[n], one, 0, 64)).isEqualTo(64);
                assertThat(ByteBuffer.wrap(one)).isEqualTo(ByteBuffer.wrap(many, n * 64, 64));
            }
            assertThat(ray.stats().spillServed() + ray.stats().spillRestored()).isPositive();
        }
        assertThat(files()).isEmpty();
        assertThat(ray.stats().spilledBytes()).isZero();
    }

    @Test
    void a_spilled_object_is_read_looked_at_kept_and_freed_like_any_other() {
        reopen(config -> config.storeSize("16m").spillDirectory(directory).spillHighWater(5));
        try (Batch outer = ray.startBatch()) {
            ObjectRef<String> text;
            ObjectRef<byte[]> kept;
            ObjectRef<byte[]> freed;
            try (Batch b = ray.startBatch()) {
                text = b.put("some text ".repeat(1000));
                kept = b.put(bytes(1, SIZE));
                freed = b.put(bytes(2, SIZE));
                ObjectWriter writer = b.create(SIZE, bytes(3, 40));
                writer.put(0, bytes(4, SIZE));
                ObjectRef<byte[]> withMetadata = writer.seal();
                for (int n = 0; b.status().spilled() < 3 * SIZE; n++) {
                    b.put(bytes(n, SIZE));
                }
                assertThat(ray.get(text)).isEqualTo("some text ".repeat(1000));
                long hash = ray.hash(withMetadata);
                ByteBuffer outlives;
                try (ObjectView view = ray.read(withMetadata)) {
                    assertThat(view.size()).isEqualTo(SIZE);
                    outlives = view.asByteBuffer();
                }
                assertThat(outlives).isEqualTo(ByteBuffer.wrap(bytes(4, SIZE)));
                assertThat(ray.hash(withMetadata)).isEqualTo(hash);
                assertThat(ray.contains(freed)).isTrue();
                assertThat(ray.free(freed)).isOne();
                assertThatThrownBy(() -> ray.get(freed)).isInstanceOf(ObjectLostException.class);
                b.keep(kept, text);
            }
            assertThat(outer.status().adopted()).isEqualTo(2);
            assertThat(ray.get(kept)).isEqualTo(bytes(1, SIZE));
            assertThat(ray.get(text)).isEqualTo("some text ".repeat(1000));
        }
    }

    @Test
    void c30_a_damaged_file_is_an_exception_that_names_it_for_that_object_alone() throws IOException {
        reopen(config -> config.storeSize("16m").spillDirectory(directory).spillHighWater(5));
        try (Batch b = ray.startBatch()) {
            ObjectRef<byte[]> first = b.put(bytes(1, SIZE));
            List<ObjectRef<byte[]>> others = new ArrayList<>();
            while (b.status().spilled() < 5 * SIZE) {
                others.add(b.put(bytes(others.size(), SIZE)));
            }
            Path file = files().get(0);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                ByteBuffer one = ByteBuffer.allocate(1);
                long at = 64 + 64 + 1000; // in the first object
                channel.read(one, at);
                channel.write(ByteBuffer.wrap(new byte[] {(byte) (one.get(0) ^ 1)}), at);
            }
            assertThatThrownBy(() -> ray.get(first))
                    .isInstanceOf(SpillCorruptException.class)
                    .hasMessageContaining(file.toString())
                    .hasMessageContaining(first.id().toString())
                    .extracting(e -> ((RayException) e).batchId().getAsLong())
                    .isEqualTo(b.id());
            for (int n = 0; n < others.size(); n++) {
                assertThat(ray.get(others.get(n))).isEqualTo(bytes(n, SIZE));
            }
        }
    }

    @Test
    void c18_a_put_that_nobody_can_make_room_for_fails_with_the_facts() {
        BatchOptions stays = BatchOptions.builder().latencySensitive().build();
        try (Batch b = ray.startBatch(stays)) {
            assertThatThrownBy(() -> {
                        for (int n = 0; ; n++) {
                            b.put(bytes(n, SIZE));
                        }
                    })
                    .isInstanceOf(StoreFullException.class)
                    .extracting(e -> ((StoreFullException) e).needed())
                    .isEqualTo(102_400L);
            assertThat(b.status().spilled()).isZero();
        }
    }

    @Test
    void without_a_time_to_wait_a_full_store_says_so_at_once() {
        reopen(config -> config.storeSize("16m").spillDirectory(directory).spillWait(Duration.ZERO).spillHighWater(100));
        try (Batch b = ray.startBatch()) {
            assertThatThrownBy(() -> {
                        for (int n = 0; ; n++) {
                            b.put(bytes(n, SIZE));
                        }
                    })
                    .isInstanceOf(StoreFullException.class);
        }
    }

    @Test
    void nothing_is_left_of_a_closed_store() throws IOException {
        try (Batch b = ray.startBatch(BatchOptions.builder().noCleanup().build())) {
            while (b.status().spilled() == 0) {
                b.put(bytes(1, SIZE));
            }
        }
        assertThat(files()).isNotEmpty();
        ray.close();
        assertThat(isEmpty()).isTrue();
    }

    private boolean isEmpty() throws IOException {
        try (Stream<Path> all = Files.list(directory)) {
            return all.findAny().isEmpty();
        }
    }

    @Test
    void what_tasks_put_and_return_waits_for_room_as_any_put_does() {
        // nothing is written before somebody finds no room
        reopen(config -> config.storeSize("16m").spillDirectory(directory).spillHighWater(100).taskSlots(2));
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<byte[]>> large = new ArrayList<>();
            List<ObjectRef<byte[]>> small = new ArrayList<>();
            for (int n = 0; n < 300; n++) {
                int seed = n;
                large.add(b.task(() -> {
                    assertThat(ray.put(bytes(seed, SIZE))).isNotNull();
                    return bytes(seed, SIZE);
                }).remote());
                for (int k = 0; k < 10; k++) {
                    small.add(b.task(() -> bytes(seed, 4000)).remote());
                }
            }
            for (int n = 0; n < large.size(); n++) {
                assertThat(ray.get(large.get(n))).isEqualTo(bytes(n, SIZE));
                assertThat(ray.get(small.get(10 * n + 9))).isEqualTo(bytes(n, 4000));
            }
            assertThat(b.status().tasks().failed()).isZero();
            assertThat(b.status().spilled()).isGreaterThan(30L << 20);
        }
    }
}
