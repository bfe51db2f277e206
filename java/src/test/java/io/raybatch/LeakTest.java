package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import io.raybatch.log.RecordingProvider;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A batch that nobody can reach any more is ended, collected and reported. */
class LeakTest extends StoreTest {

    private final BlockingQueue<LeakReport> reports = new LinkedBlockingQueue<>();

    private void reopen(LeakLevel level) {
        reopen(config -> config.leakDetection(level).leakListener(reports::add));
    }

    private LeakReport next() throws InterruptedException {
        long until = System.nanoTime() + SOON.toNanos();
        while (System.nanoTime() < until) {
            System.gc();
            LeakReport report = reports.poll(20, TimeUnit.MILLISECONDS);
            if (report != null) {
                return report;
            }
        }
        throw new AssertionError("no leak was reported");
    }

    private void nothingIsReported() throws InterruptedException {
        for (int i = 0; i < 5; i++) {
            System.gc();
            assertThat(reports.poll(20, TimeUnit.MILLISECONDS)).isNull();
        }
    }

    /** In a frame of its own, so that no local variable of the test's holds anything. */
    private void leak(String name) {
        ray.startBatch(BatchOptions.named(name)).put(new byte[1000]);
        ray.setCurrentBatch(0);
    }

    @Test
    void an_unreachable_batch_is_collected_and_reported_with_all_that_helps() throws InterruptedException {
        reopen(LeakLevel.SIMPLE);
        leak("forgotten");
        LeakReport report = next();
        assertThat(report.name()).isEqualTo("forgotten");
        assertThat(report.batchId()).isNegative();
        assertThat(report.thread()).isEqualTo(Thread.currentThread().getName());
        assertThat(report.objects()).isEqualTo(1);
        assertThat(report.bytes()).isEqualTo(1000);
        assertThat(report.age()).isPositive();
        assertThat(report.startedAt()).isEmpty();
        assertThat(report.message())
                .contains("forgotten", "1 objects", "1000 bytes", "-Draybatch.leakDetection=advanced");
        assertThat(RecordingProvider.LOGGED).anyMatch(entry -> entry.message().equals(report.message()));
        assertThat(ray.status(report.batchId()).reason()).contains(EndReason.LEAKED);
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void the_advanced_level_says_where_and_the_paranoid_one_where_it_was_used_last() throws InterruptedException {
        reopen(LeakLevel.ADVANCED);
        leak("a");
        LeakReport advanced = next();
        assertThat(advanced.message()).contains("LeakTest.leak", "-Draybatch.leakDetection=paranoid");
        assertThat(advanced.uses()).isEmpty();
        reopen(LeakLevel.PARANOID);
        leak("b");
        LeakReport paranoid = next();
        assertThat(paranoid.startedAt()).isPresent();
        assertThat(paranoid.uses()).hasSize(1);
        assertThat(paranoid.message()).contains("used here").doesNotContain("-Draybatch");
    }

    @Test
    void at_the_level_disabled_it_is_collected_all_the_same() throws InterruptedException {
        reopen(LeakLevel.DISABLED);
        leak("quiet");
        long until = System.nanoTime() + SOON.toNanos();
        while (ray.stats().liveBatches() > 0 && System.nanoTime() < until) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(ray.stats().liveBatches()).isZero();
        assertThat(reports).isEmpty();
    }

    @Test
    void a_reference_keeps_a_batch_and_so_does_an_inner_batch() throws InterruptedException {
        reopen(LeakLevel.SIMPLE);
        ObjectRef<byte[]> ref = refOfForgotten();
        nothingIsReported();
        assertThat(ref.get()).hasSize(1000);
        Batch inner = innerOfForgotten();
        ref = null;
        LeakReport first = next();
        assertThat(first.name()).isEqualTo("by reference");
        nothingIsReported();
        assertThat(inner.status().state().isOpen()).isTrue();
        inner.close();
        inner = null;
        assertThat(next().name()).isEqualTo("by inner");
    }

    private ObjectRef<byte[]> refOfForgotten() {
        ObjectRef<byte[]> ref = ray.startBatch(BatchOptions.named("by reference")).put(new byte[1000]);
        ray.setCurrentBatch(0);
        return ref;
    }

    private Batch innerOfForgotten() {
        Batch outer = ray.startBatch(BatchOptions.named("by inner"));
        Batch inner = ray.startBatch();
        assertThat(inner.status().parent()).isEqualTo(outer.id());
        ray.setCurrentBatch(0);
        return inner;
    }

    @Test
    void one_that_a_pools_thread_forgot_is_reported_at_once_and_ended_with_that_threads_next_batch() throws Exception {
        reopen(LeakLevel.SIMPLE);
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            long id = pool.submit(() -> {
                ray.startBatch(BatchOptions.named("of a pool")).put(new byte[10]);
                return ray.currentBatch();
            }).get();
            assertThat(next().name()).isEqualTo("of a pool");
            assertThat(ray.status(id).state().isOpen()).as("its thread may go on").isTrue();
            assertThat(pool.submit(() -> ray.put(1).batchId()).get()).isEqualTo(id);
            assertThat(ray.status(id).objects()).isEqualTo(2);
            long parent = pool.submit(() -> {
                try (Batch b = ray.startBatch()) {
                    return b.status().parent();
                }
            }).get();
            assertThat(parent).as("of the next request's batch").isZero();
            assertThat(ray.status(id).reason()).contains(EndReason.LEAKED);
            assertThat(ray.status(id).state()).isEqualTo(BatchState.COLLECTED);
            assertThat(pool.submit(() -> ray.currentBatch()).get()).isZero();
        } finally {
            pool.shutdown();
        }
        nothingIsReported();
    }

    @Test
    void one_that_a_thread_forgot_is_ended_when_the_thread_ends() throws InterruptedException {
        reopen(LeakLevel.SIMPLE);
        CompletableFuture<Void> end = new CompletableFuture<>();
        CompletableFuture<Long> started = new CompletableFuture<>();
        CompletableFuture<Void> thread = inThread(() -> {
            ray.startBatch(BatchOptions.named("of a thread"));
            started.complete(ray.currentBatch());
            end.join();
            return null;
        });
        long id = join(started);
        assertThat(next().name()).isEqualTo("of a thread");
        assertThat(ray.status(id).state().isOpen()).isTrue();
        end.complete(null);
        join(thread);
        long until = System.nanoTime() + SOON.toNanos();
        while (ray.status(id).state().isOpen() && System.nanoTime() < until) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(ray.status(id).reason()).contains(EndReason.LEAKED);
    }

    @Test
    void a_batch_with_an_id_of_the_callers_is_held_by_it() throws InterruptedException {
        reopen(LeakLevel.SIMPLE);
        ray.startBatch(7);
        ray.setCurrentBatch(0);
        nothingIsReported();
        assertThat(ray.status(7).state().isOpen()).isTrue();
        ray.endBatch(7, true);
    }

    @Test
    void what_was_closed_or_collected_is_no_leak() throws InterruptedException {
        reopen(LeakLevel.SIMPLE);
        properlyEnded();
        nothingIsReported();
    }

    private void properlyEnded() {
        ray.startBatch().close();
        ray.startBatch().delete();
        ray.endBatch(ray.startBatch().id(), true);
        ray.setCurrentBatch(0);
        long id = ray.startBatch().id();
        ray.endBatch(id);
        ray.gc(id);
        ray.setCurrentBatch(0);
        ray.startBatch(BatchOptions.builder().noCleanup().build()).close();
    }

    @Test
    void what_was_ended_but_never_collected_is_collected() throws InterruptedException {
        reopen(LeakLevel.SIMPLE);
        endedOnly();
        assertThat(next().name()).isEqualTo("ended");
        assertThat(ray.stats().live()).isZero();
    }

    private void endedOnly() {
        Batch b = ray.startBatch(BatchOptions.named("ended"));
        b.put(new byte[1000]);
        b.end();
        ray.setCurrentBatch(0);
    }

    @Test
    void a_recording_finds_what_was_started_meanwhile_even_if_it_is_still_current_here() {
        reopen(LeakLevel.SIMPLE);
        Batch before = ray.startBatch();
        LeakDetector.Recording recording = LeakDetector.record();
        Batch held = ray.startBatch();
        startAndForget();
        List<LeakReport> leaks = recording.stop();
        assertThat(leaks).singleElement().satisfies(report -> {
            assertThat(report.name()).isEqualTo("still current");
            assertThat(report.message()).contains("LeakTest.startAndForget");
        });
        assertThat(ray.currentBatch()).isEqualTo(held.id());
        held.close();
        before.close();
    }

    private void startAndForget() {
        ray.startBatch(BatchOptions.named("still current")).put(1);
    }

    @Test
    void a_recording_finds_each_that_ran_tasks_and_those_of_live_threads() throws Exception {
        reopen(LeakLevel.SIMPLE);
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try {
            for (int round = 0; round < 5; round++) {
                LeakDetector.Recording recording = LeakDetector.record();
                forgetAfterTasks();
                pool.submit(() -> {
                    ray.startBatch(BatchOptions.named("pool")).put(1);
                }).get();
                assertThat(recording.stop()).extracting(LeakReport::name).containsExactlyInAnyOrder("ran tasks", "pool");
                assertThat(ray.batches()).isEmpty();
            }
        } finally {
            pool.shutdown();
        }
    }

    private void forgetAfterTasks() {
        Batch b = ray.startBatch(BatchOptions.named("ran tasks"));
        for (int n = 0; n < 100; n++) {
            b.task((Integer x) -> x + 1, n).remote();
        }
        assertThat(b.task(() -> 1).remote().get()).isEqualTo(1);
    }

    @Test
    void a_recording_may_demand_that_none_is_open() {
        reopen(LeakLevel.SIMPLE);
        LeakDetector.Recording recording = LeakDetector.record();
        Batch held = ray.startBatch(BatchOptions.named("held"));
        ray.startBatch(BatchOptions.builder().id(7).name("by id").build());
        ray.startBatch().close();
        ray.startBatch(8);
        ray.endBatch(8);
        List<LeakReport> open = recording.stopWithNoneOpen();
        assertThat(open).extracting(LeakReport::name).containsExactlyInAnyOrder("held", "by id");
        assertThat(open).allMatch(LeakReport::reachable);
        assertThat(open.get(0).message()).contains("is open still", "LeakTest.");
        ray.endBatch(7, true);
        ray.gc(8);
        held.close();
    }
}
