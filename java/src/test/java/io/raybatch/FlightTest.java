package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongPredicate;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Flight Recorder has of a store, read back from recordings. */
class FlightTest extends StoreTest {

    private static final int SIZE = 100_000;

    @TempDir
    Path directory;

    /** What happens while a recording goes on. */
    private interface Work {
        void run() throws Exception;
    }

    private List<RecordedEvent> record(Work work) throws Exception {
        try (Recording recording = new Recording()) {
            recording.start();
            work.run();
            Flight.pass();
            recording.stop();
            return read(recording);
        }
    }

    private List<RecordedEvent> read(Recording recording) throws IOException {
        Path file = directory.resolve("of-a-test.jfr");
        recording.dump(file);
        return RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().startsWith("raybatch."))
                .toList();
    }

    private static List<RecordedEvent> of(List<RecordedEvent> all, String type, LongPredicate batch) {
        return all.stream()
                .filter(event -> event.getEventType().getName().equals("raybatch." + type))
                .filter(event -> batch.test(event.getLong("batch")))
                .toList();
    }

    private static RecordedEvent only(List<RecordedEvent> all, String type, long batch) {
        List<RecordedEvent> some = of(all, type, id -> id == batch);
        assertThat(some).as("%s of batch %d in %s", type, batch, all).hasSize(1);
        return some.get(0);
    }

    @Test
    void a_recording_tells_the_life_of_a_batch() throws Exception {
        long began = System.currentTimeMillis();
        long[] ids = new long[2];
        List<RecordedEvent> events = record(() -> {
            BatchOptions options = BatchOptions.builder().name("request 7").group(ray.group("user-a")).build();
            try (Batch outer = ray.startBatch(options);
                    Batch inner = ray.startBatch()) {
                ids[0] = outer.id();
                ids[1] = inner.id();
                outer.put(new byte[1000]);
                inner.put(new byte[10]);
                inner.put(new byte[20]);
            }
        });
        RecordedEvent start = only(events, "BatchStart", ids[1]);
        assertThat(start.getLong("parent")).isEqualTo(ids[0]);
        assertThat(start.getStackTrace().getFrames()).anyMatch(frame -> frame.getMethod().getType().getName().endsWith("FlightTest"));
        assertThat(only(events, "BatchStart", ids[0]).getString("name")).isEqualTo("request 7");
        assertThat(only(events, "BatchStart", ids[0]).getString("group")).isEqualTo("user-a");
        RecordedEvent end = only(events, "BatchEnd", ids[0]);
        assertThat(end.getString("reason")).isEqualTo("CLOSED");
        assertThat(end.getString("name")).isEqualTo("request 7");
        assertThat(end.getString("by")).contains(Thread.currentThread().getName());
        RecordedEvent collect = only(events, "BatchCollect", ids[1]);
        assertThat(collect.getLong("objects")).isEqualTo(2);
        assertThat(collect.getLong("bytes")).isEqualTo(30);
        assertThat(collect.getDuration("took")).isPositive();
        assertThat(only(events, "BatchCollect", ids[0]).getLong("bytes")).isEqualTo(1000);
        // by the clock of day, which Flight Recorder's own is some milliseconds off
        assertThat(end.getInstant("at").toEpochMilli()).isBetween(began, System.currentTimeMillis());
    }

    @Test
    void a_timeout_is_recorded_as_what_it_is() throws Exception {
        long[] id = new long[1];
        List<RecordedEvent> events = record(() -> {
            Batch batch = ray.startBatch(BatchOptions.builder().id(77).timeout(Duration.ofMillis(5)).build());
            id[0] = batch.id();
            while (batch.status().state() != BatchState.COLLECTED) {
                Thread.sleep(1);
            }
        });
        assertThat(only(events, "BatchEnd", id[0]).getString("reason")).isEqualTo("TIMED_OUT");
        assertThat(of(events, "BatchCollect", batch -> batch == id[0])).hasSize(1);
    }

    @Test
    void what_is_spilled_and_restored_is_recorded_with_its_bytes() throws Exception {
        reopen(config -> config.storeSize("16m").spillDirectory(directory));
        long[] id = new long[1];
        List<RecordedEvent> events = record(() -> {
            try (Batch batch = ray.startBatch(BatchOptions.builder().name("large").build())) {
                id[0] = batch.id();
                List<ObjectRef<byte[]>> refs = new ArrayList<>();
                for (int n = 0; n < 500; n++) {
                    refs.add(batch.put(bytes(n, SIZE)));
                }
                ray.free(refs.subList(100, 500));
                ray.internal().spill();
                for (int n = 0; n < 100; n++) {
                    assertThat(ray.get(refs.get(n))).isEqualTo(bytes(n, SIZE));
                }
                assertThat(ray.stats().spillRestored()).isPositive();
            }
        });
        List<RecordedEvent> spills = of(events, "Spill", batch -> batch == id[0]);
        assertThat(spills).isNotEmpty().allSatisfy(spill -> {
            assertThat(spill.getString("name")).isEqualTo("large");
            assertThat(spill.getDuration("took")).isPositive();
        });
        assertThat(spills.stream().mapToLong(spill -> spill.getLong("bytes")).sum()).isGreaterThan(30L << 20);
        List<RecordedEvent> restores = of(events, "Restore", batch -> batch == id[0]);
        assertThat(restores.stream().mapToLong(restore -> restore.getLong("bytes")).sum()).isPositive();
        assertThat(restores.stream().mapToLong(restore -> restore.getLong("objects")).sum()).isBetween(1L, 100L);
    }

    @Test
    void who_waits_for_room_is_recorded_with_the_thread() throws Exception {
        // nothing is written before somebody finds no room
        reopen(config -> config.storeSize("16m").spillDirectory(directory).spillHighWater(100));
        List<RecordedEvent> events = record(() -> {
            try (Batch batch = ray.startBatch()) {
                for (int n = 0; n < 300; n++) {
                    batch.put(bytes(n, SIZE));
                }
            }
        });
        assertThat(of(events, "Stall", batch -> true)).isNotEmpty().allSatisfy(stall -> {
            assertThat(stall.getBoolean("roomMade")).isTrue();
            assertThat(stall.getLong("bytes")).isGreaterThanOrEqualTo(SIZE);
            assertThat(stall.getThread().getJavaName()).isEqualTo(Thread.currentThread().getName());
        });
    }

    @Test
    void an_eviction_is_recorded() throws Exception {
        reopen(config -> config.storeSize("16m"));
        List<RecordedEvent> events = record(() -> {
            for (int n = 0; n < 300; n++) {
                ray.put(bytes(n, SIZE));
            }
        });
        List<RecordedEvent> evictions = of(events, "Eviction", batch -> batch == 0);
        assertThat(evictions.stream().mapToLong(event -> event.getLong("objects")).sum()).isEqualTo(ray.stats().evictedObjects()).isPositive();
        assertThat(evictions.stream().mapToLong(event -> event.getLong("bytes")).sum()).isEqualTo(ray.stats().evictedBytes());
    }

    @Test
    void a_leak_is_recorded() throws Exception {
        List<LeakReport> leaks = new ArrayList<>();
        List<RecordedEvent> events = record(() -> {
            LeakDetector.Recording watch = LeakDetector.record();
            startAndForget();
            leaks.addAll(watch.stop());
        });
        assertThat(leaks).hasSize(1);
        RecordedEvent leak = only(events, "Leak", leaks.get(0).batchId());
        assertThat(leak.getString("name")).isEqualTo("forgotten");
        assertThat(leak.getLong("objects")).isEqualTo(1);
        assertThat(only(events, "BatchEnd", leaks.get(0).batchId()).getString("reason")).isEqualTo("LEAKED");
    }

    private void startAndForget() throws InterruptedException {
        Thread starter = new Thread(() -> ray.startBatch(BatchOptions.builder().name("forgotten").build()).put(new byte[9]));
        starter.start();
        starter.join();
    }

    @Test
    void a_store_that_closes_while_it_is_recorded_has_its_last_batches_in_the_recording() throws Exception {
        long[] id = new long[1];
        List<RecordedEvent> events = record(() -> {
            try (RayApi other = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
                id[0] = other.startBatch(4711).id();
            }
        });
        assertThat(only(events, "BatchEnd", id[0]).getLong("batch")).isEqualTo(4711);
        assertThat(only(events, "BatchCollect", id[0]).getLong("objects")).isZero();
    }

    @Test
    void nothing_is_left_of_a_time_when_nothing_was_recorded() throws Exception {
        record(() -> {});
        long before;
        try (Batch batch = ray.startBatch()) {
            before = batch.id();
        }
        long[] id = new long[1];
        List<RecordedEvent> events = record(() -> {
            try (Batch batch = ray.startBatch()) {
                id[0] = batch.id();
            }
        });
        assertThat(of(events, "BatchEnd", batch -> batch == before)).isEmpty();
        assertThat(only(events, "BatchEnd", id[0])).isNotNull();
    }

    @Test
    void what_two_recordings_record_ends_with_the_last_of_them() throws Exception {
        long[] id = new long[1];
        List<RecordedEvent> events = record(() -> {
            record(() -> {});
            try (Batch batch = ray.startBatch()) {
                id[0] = batch.id();
            }
        });
        assertThat(only(events, "BatchEnd", id[0])).isNotNull();
        assertThat(Flight.isOn()).isFalse();
    }
}
