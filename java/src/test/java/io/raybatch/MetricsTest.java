package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.raybatch.micrometer.GroupMetrics;
import io.raybatch.micrometer.RayMetrics;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What Micrometer is told of a store. */
class MetricsTest extends StoreTest {

    @TempDir
    Path directory;

    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

    private double gauge(String name) {
        return registry.get("raybatch." + name).tag("store", ray.storeName()).tag("app", "a test").gauge().value();
    }

    private double counter(String name) {
        return registry.get("raybatch." + name).functionCounter().count();
    }

    private void bind() {
        new RayMetrics(ray, Tags.of("app", "a test")).bindTo(registry);
    }

    @Test
    void figures_are_those_of_the_store() {
        reopen(config -> config.storeSize("16m").spillDirectory(directory));
        try (Batch batch = ray.startBatch()) {
            for (int n = 0; n < 200; n++) {
                batch.put(bytes(n, 100_000));
            }
            ray.internal().spill();
            bind();
            StoreStats stats = ray.stats();
            assertThat(gauge("store.capacity")).isEqualTo(stats.capacity());
            assertThat(gauge("store.live")).isEqualTo(20_000_000);
            assertThat(gauge("store.objects")).isEqualTo(200);
            assertThat(gauge("batches.live")).isEqualTo(1);
            assertThat(gauge("store.used")).isEqualTo(stats.used()).isPositive();
            assertThat(gauge("spill.objects")).isEqualTo(stats.spilledObjects()).isPositive();
            assertThat(gauge("spill.live")).isEqualTo(stats.spilledBytes()).isPositive();
            assertThat(counter("spill.written")).isEqualTo(stats.spillWritten()).isPositive();
            assertThat(counter("spill.errors")).isZero();
        }
    }

    @Test
    void each_figure_of_the_store_has_a_meter() {
        bind();
        Set<Meter.Id> ids = new HashSet<>();
        registry.getMeters().forEach(meter -> ids.add(meter.getId()));
        assertThat(ids).hasSize(StoreStats.class.getRecordComponents().length);
        assertThat(ids).allSatisfy(id -> assertThat(id.getDescription()).isNotBlank());
    }

    @Test
    void meters_of_a_closed_store_are_not_a_number() {
        bind();
        String store = ray.storeName();
        ray.close();
        assertThat(registry.get("raybatch.store.used").tag("store", store).gauge().value()).isNaN();
    }

    @Test
    void figures_follow_the_store_and_do_not_ask_it_more_than_once_in_a_second() throws InterruptedException {
        bind();
        assertThat(gauge("store.objects")).isZero();
        try (Batch batch = ray.startBatch()) {
            batch.put("a value");
            while (gauge("store.objects") == 0) {
                Thread.sleep(10);
            }
            assertThat(gauge("store.objects")).isEqualTo(1);
        }
    }

    private double groups(String name, ResourceGroup group) {
        return registry.get("raybatch.group." + name).tag("store", ray.storeName()).tag("group", group.path()).gauge().value();
    }

    @Test
    void each_group_has_figures_of_its_own() {
        ResourceGroup user = ray.group("user-a").maxBytes(1_000_000);
        ResourceGroup job = user.group("job-7");
        try (Batch batch = ray.startBatch(BatchOptions.builder().group(job).build())) {
            batch.put(bytes(1, 100_000));
            new GroupMetrics(ray, user).bindTo(registry);
            new GroupMetrics(ray, job, Tags.of("app", "a test")).bindTo(registry);
            assertThat(groups("live", user)).isEqualTo(100_000);
            assertThat(groups("objects", job)).isEqualTo(1);
            assertThat(groups("batches", user)).isEqualTo(1);
            assertThat(groups("tasks", job)).isZero();
            assertThat(groups("held", job)).isEqualTo(job.usage().held()).isPositive();
            assertThat(groups("share", job)).isEqualTo(job.usage().share()).isPositive();
            assertThat(groups("max.live", user)).isEqualTo(1_000_000);
            assertThat(groups("max.live", job)).isNaN();
            assertThat(registry.get("raybatch.group.refused").tag("group", "user-a").functionCounter().count()).isZero();
            assertThat(registry.getMeters()).hasSize(18).allSatisfy(meter -> assertThat(meter.getId().getDescription()).isNotBlank());
        }
    }

    @Test
    void meters_of_a_group_that_was_removed_are_not_a_number() throws InterruptedException {
        ResourceGroup group = ray.group("for-now");
        new GroupMetrics(ray, group).bindTo(registry);
        assertThat(groups("objects", group)).isZero();
        group.remove();
        while (!Double.isNaN(groups("objects", group))) {
            Thread.sleep(10);
        }
    }
}
