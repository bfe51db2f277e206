package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The truth about memory. */
class MemoryReportTest extends StoreTest {

    @TempDir
    Path directory;

    private static MemoryReport.InBatch of(MemoryReport report, Batch batch) {
        return report.batches().stream().filter(b -> b.id() == batch.id()).findAny().orElseThrow();
    }

    /** Each byte of the arena is told once. */
    static void assertAddsUp(MemoryReport r) {
        long batches = r.batches().stream().mapToLong(MemoryReport.InBatch::held).sum();
        assertThat(r.bookkeeping() + r.draining() + r.free() + r.table().held() + batches).isEqualTo(r.capacity());
        assertThat(r.table().normal() + r.table().kept() + r.table().pinned() + r.table().unused())
                .isEqualTo(r.table().held());
        assertThat(r.drainingBatches().stream().mapToLong(MemoryReport.Draining::held).sum()).isEqualTo(r.draining());
        assertThat(r.batches()).allSatisfy(b ->
                assertThat(b.index() + b.live() + b.pinned() + b.unused()).as(b.toString()).isEqualTo(b.held()));
    }

    @Test
    void each_state_of_an_object_is_told_where_it_counts() {
        reopen(config -> config.spillDirectory(directory).leakDetection(LeakLevel.ADVANCED));
        try (Batch outer = ray.startBatch(BatchOptions.named("outer"))) {
            try (Batch b = ray.startBatch(BatchOptions.builder().name("inner \"one\"").latencySensitive().build())) {
                ObjectRef<byte[]> kept = b.put(bytes(1, 1000));
                ObjectRef<byte[]> pinned = b.put(bytes(2, 300));
                b.put(bytes(3, 50));
                b.keep(kept);
                outer.put(bytes(4, 100_000));
                ray.internal().spill();
                try (ObjectView view = ray.read(pinned)) {
                    MemoryReport report = ray.memory();
                    assertAddsUp(report);
                    MemoryReport.InBatch inner = of(report, b);
                    assertThat(inner.live()).isEqualTo(50);
                    assertThat(inner.pinned()).isEqualTo(view.size()).isEqualTo(300);
                    assertThat(inner.pins()).isOne();
                    assertThat(inner.objects()).isEqualTo(2);
                    assertThat(inner.parent()).isEqualTo(outer.id());
                    assertThat(inner.latencySensitive()).isTrue();
                    assertThat(inner.startedBy()).contains(Thread.currentThread().getName());
                    assertThat(inner.startedAt()).isPresent();
                    assertThat(of(report, outer).spilled()).isEqualTo(100_000);
                    assertThat(of(report, outer).keptObjects()).isOne();
                    assertThat(of(report, outer).kept()).isEqualTo(1000);
                    assertThat(report.table().spilled()).as("kept objects are spilled with their batch").isEqualTo(1000);
                    assertThat(report.files().objects()).isEqualTo(2);
                    assertThat(report.toText())
                            .contains("batch " + b.id() + " 'inner \"one\"', running")
                            .contains("latency-sensitive")
                            .contains(MemoryReportTest.class.getName());
                    assertThat(report.toJson())
                            .startsWith("{\"at\":\"20")
                            .contains("\"name\":\"inner \\\"one\\\"\"", "\"pinned\":300", "\"spilled\":100000")
                            .endsWith("]}");
                }
            }
        }
        assertAddsUp(ray.memory());
    }

    @Test
    void a_collected_batch_that_readers_hold_is_told_by_name() {
        ObjectView view;
        long id;
        try (Batch b = ray.startBatch(BatchOptions.builder().name("gone").group(ray.group("user-a")).build())) {
            id = b.id();
            view = ray.read(b.put(bytes(1, 1000)));
        }
        MemoryReport report = ray.memory();
        assertAddsUp(report);
        assertThat(report.drainingBatches()).singleElement().satisfies(b -> {
            assertThat(b.id()).isEqualTo(id);
            assertThat(b.name()).isEqualTo("gone");
            assertThat(b.group()).isEqualTo("user-a");
            assertThat(b.startedBy()).contains(Thread.currentThread().getName());
            assertThat(b.held()).isPositive().isEqualTo(report.draining());
            assertThat(b.pins()).isOne();
        });
        assertThat(ray.group("user-a").usage().held()).as("the group holds it").isEqualTo(report.draining());
        assertThat(report.toText()).contains("batch " + id + " 'gone', draining, ", ", in group user-a: ", ", 1 holds");
        assertThat(report.toJson()).contains("\"drainingBatches\":[{\"id\":" + id + ",\"name\":\"gone\"");
        view.close();
        assertThat(ray.memory().drainingBatches()).isEmpty();
        assertThat(ray.group("user-a").usage().held()).isZero();
    }

    @Test
    void after_every_random_sequence_its_sums_equal_the_arena() {
        reopen(config -> config.storeSize("16m").spillDirectory(directory).spillHighWater(60));
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            List<Batch> open = new ArrayList<>();
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            List<ObjectView> views = new ArrayList<>();
            for (int n = 0; n < 60; n++) {
                int what = random.nextInt(10);
                if (open.isEmpty() || what == 0) {
                    open.add(ray.startBatch());
                } else if (what < 6) {
                    refs.add(open.get(random.nextInt(open.size())).put(bytes(n, random.nextInt(80_000))));
                } else if (what == 6 && !refs.isEmpty()) {
                    views.add(ray.read(refs.get(random.nextInt(refs.size()))));
                } else if (what == 7 && !views.isEmpty()) {
                    views.remove(random.nextInt(views.size())).close();
                } else if (what == 8) {
                    ray.put(bytes(n, random.nextInt(5000)));
                } else if (what == 9 && !refs.isEmpty()) {
                    ray.transferOwnership(refs.get(random.nextInt(refs.size())), open.get(0).id());
                }
            }
            ray.internal().spill();
            assertAddsUp(ray.memory());
            views.forEach(ObjectView::close);
            for (int n = open.size() - 1; n >= 0; n--) {
                open.get(n).close();
            }
            assertAddsUp(ray.memory());
        }
    }
}
