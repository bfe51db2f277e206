package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Groups of batches, and what is fair among them. */
@Timeout(120)
class ResourceGroupTest extends StoreTest {

    private static final int SIZE = 100_000;

    @TempDir
    Path directory;

    private static BatchOptions in(ResourceGroup group) {
        return BatchOptions.builder().group(group).build();
    }

    @Test
    void a_group_has_a_name_a_path_and_a_place_in_the_tree() {
        ResourceGroup user = ray.group("user-a");
        ResourceGroup job = user.group("job-7");
        assertThat(job.name()).isEqualTo("job-7");
        assertThat(job.path()).isEqualTo("user-a/job-7").isEqualTo(ray.group("user-a").group("job-7").path());
        assertThat(job.parent().orElseThrow().path()).isEqualTo("user-a");
        assertThat(user.parent()).isEmpty();
        assertThat(user.name()).isEqualTo("user-a");
        try (RayApi other = RayApi.connect(ray.storeName())) {
            other.group("user-b");
            assertThat(ray.groups()).extracting(GroupStatus::path).containsExactly("user-a", "user-a/job-7", "user-b");
            try (Batch b = other.startBatch(in(job))) {
                assertThat(b.status().group()).isEqualTo("user-a/job-7");
                assertThat(user.usage().batches()).isOne();
            }
        }
        assertThatThrownBy(() -> ray.group("a/b")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> ray.group("")).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> user.group("ä".repeat(33))).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void limits_can_be_set_changed_and_taken_away() {
        ResourceGroup group = ray.group("g").maxBytes(1000).maxObjects(10).maxTasks(0).maxPriority(-5);
        assertThat(group.limits().maxBytes()).hasValue(1000);
        assertThat(group.limits().maxObjects()).hasValue(10);
        assertThat(group.limits().maxTasks()).hasValue(0);
        assertThat(group.limits().maxPriority()).hasValue(-5);
        group.maxBytes(ResourceGroup.NO_LIMIT).maxObjects(ResourceGroup.NO_LIMIT).maxTasks(Integer.MAX_VALUE)
                .maxPriority(Integer.MAX_VALUE);
        assertThat(group.limits().maxBytes()).isEmpty();
        assertThat(group.limits().maxObjects()).isEmpty();
        assertThat(group.limits().maxTasks()).isEmpty();
        assertThat(group.limits().maxPriority()).isEmpty();
        assertThatThrownBy(() -> group.maxBytes(-1)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> group.maxTasks(-1)).isInstanceOf(InvalidArgumentException.class);
        group.remove();
        assertThatThrownBy(() -> group.maxBytes(1)).isInstanceOf(GroupNotFoundException.class);
        assertThatThrownBy(group::usage).isInstanceOf(GroupNotFoundException.class).hasMessageContaining("'g'");
        assertThatThrownBy(() -> ray.startBatch(in(group))).isInstanceOf(GroupNotFoundException.class);
    }

    @Test
    void c40_the_put_over_a_groups_limit_names_the_whole_chain_and_changes_nothing() {
        ResourceGroup user = ray.group("user-a").maxBytes(10_000);
        try (Batch b = ray.startBatch(BatchOptions.builder().name("request").group(user.group("job-7")).build());
                Batch inner = ray.startBatch()) {
            ObjectRef<byte[]> ref = inner.put(bytes(1, 9000));
            GroupStatus.Usage before = user.usage();
            assertThatThrownBy(() -> inner.put(bytes(2, 1001)))
                    .isInstanceOfSatisfying(BatchLimitException.class, e -> {
                        assertThat(e).hasMessageContaining("group 'user-a' is at its limit")
                                .hasMessageContaining("group 'user-a': 9000 of 10000 bytes, 1 objects")
                                .hasMessageContaining("group 'user-a/job-7': 9000 bytes, 1 objects")
                                .hasMessageContaining("batch " + b.id() + " 'request': 9000 bytes")
                                .hasMessageContaining("batch " + inner.id() + ": 9000 bytes");
                        assertThat(e.limit()).isEqualTo(10_000);
                        assertThat(e.used()).isEqualTo(9000);
                        assertThat(e.requested()).isEqualTo(1001);
                        assertThat(e.batchId()).hasValue(inner.id());
                    });
            assertThat(user.usage()).isEqualTo(before);
            assertThat(ref.get()).isEqualTo(bytes(1, 9000));
            user.maxBytes(11_000);
            inner.put(bytes(2, 1001));
        }
        assertThat(user.usage().bytes()).isZero();
    }

    @Test
    @SuppressWarnings("try") // it is there, and no more
    void a_batch_is_in_the_group_of_the_batch_around_it() {
        ResourceGroup a = ray.group("a");
        ResourceGroup b = ray.group("b").maxPriority(1);
        try (Batch outer = ray.startBatch(in(a)); Batch inner = ray.startBatch()) {
            assertThat(outer.status().group()).isEqualTo("a");
            assertThat(inner.status().group()).isEqualTo("a");
            assertThatThrownBy(() -> ray.startBatch(in(b)))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("is in group 'a'");
            try (Batch named = ray.startBatch(BatchOptions.builder().id(7).group(b).build())) {
                assertThat(named.status().group()).as("one with an id is in the root").isEqualTo("b");
            }
            assertThatThrownBy(a::remove).isInstanceOf(GroupActiveException.class).hasMessageContaining("2 batches");
        }
        a.remove();
        BatchOptions high = BatchOptions.builder().group(b).priority(2).build();
        assertThatThrownBy(() -> ray.startBatch(high))
                .isInstanceOf(BatchLimitException.class)
                .hasMessageContaining("maxPriority = 1 of group 'b'");
        try (Batch low = ray.startBatch(in(b))) {
            assertThatThrownBy(() -> low.task(() -> 1).priority(2).remote())
                    .isInstanceOf(BatchLimitException.class)
                    .hasMessageContaining("a task with priority 2");
            assertThat(low.task(() -> 1).priority(1).remote().get(SOON)).isEqualTo(1);
        }
        try (RayApi other = open(config -> config)) {
            assertThatThrownBy(() -> other.startBatch(in(b)))
                    .isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("another store");
        }
    }

    @Test
    void no_more_tasks_of_a_group_run_at_a_time_than_it_may_have() {
        reopen(config -> config.taskSlots(4));
        ResourceGroup user = ray.group("user-a").maxTasks(2);
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        List<Batch> batches = new ArrayList<>();
        List<ObjectRef<Void>> all = new ArrayList<>();
        for (String job : List.of("job-1", "job-2", "job-3")) {
            ray.setCurrentBatch(0);
            Batch b = ray.startBatch(in(user.group(job)));
            batches.add(b);
            for (int n = 0; n < 20; n++) {
                all.add(b.task(() -> {
                    most.accumulateAndGet(now.incrementAndGet(), Math::max);
                    Thread.sleep(1);
                    now.decrementAndGet();
                }).remote());
            }
        }
        ray.get(all);
        assertThat(most.get()).isBetween(1, 2);
        user.maxTasks(0);
        AtomicBoolean ran = new AtomicBoolean();
        ObjectRef<Void> held = batches.get(0).task(() -> ran.set(true)).remote();
        ray.setCurrentBatch(0);
        assertThat(ray.task(() -> 1).remote().get(SOON)).as("others are not held").isEqualTo(1);
        assertThat(ran).isFalse();
        user.maxTasks(1);
        held.get(SOON);
        assertThat(ran).isTrue();
        batches.forEach(Batch::close);
        assertThat(user.usage().tasks()).isZero();
    }

    @Test
    void a_blocked_task_of_a_group_does_not_count() {
        reopen(config -> config.taskSlots(4));
        ResourceGroup user = ray.group("user-a").maxTasks(1);
        try (Batch outer = ray.startBatch(in(user))) {
            RayApi here = ray;
            ObjectRef<Integer> sum = outer.task(() -> here.get(here.task(() -> 20).remote()) + 1).remote();
            assertThat(sum.get(SOON)).isEqualTo(21);
        }
        assertThat(user.usage().tasks()).isZero();
    }

    @Test
    void memory_is_reported_by_group() {
        ResourceGroup user = ray.group("user \"a\"").maxBytes(1 << 20).maxPriority(3);
        ResourceGroup job = user.group("job");
        try (Batch b = ray.startBatch(in(job))) {
            b.put(bytes(1, SIZE));
            ray.setCurrentBatch(0);
            ray.put(bytes(2, 10));
            MemoryReport report = ray.memory();
            MemoryReportTest.assertAddsUp(report);
            assertThat(report.groups()).isEqualTo(ray.groups());
            assertThat(report.groups()).extracting(GroupStatus::path).containsExactly(user.path(), job.path());
            long held = report.batches().stream()
                    .filter(batch -> batch.group().equals(job.path()))
                    .mapToLong(MemoryReport.InBatch::held)
                    .sum();
            GroupStatus.Usage usage = report.groups().get(0).usage();
            assertThat(usage.held()).isEqualTo(held).isGreaterThan(SIZE);
            assertThat(usage.bytes()).isEqualTo(SIZE);
            assertThat(usage.share()).as("what is in no group counts as one").isEqualTo(32L << 20);
            assertThat(usage.isAboveShare()).isFalse();
            assertThat(report.toText())
                    .contains("group user \"a\": holds ", " its share is 32.0 MiB", " of 1024.0 KiB in 1 objects")
                    .contains("priority at most 3; refused 0 times")
                    .contains(", in group user \"a\"/job");
            assertThat(report.toJson())
                    .contains("\"groups\":[{\"path\":\"user \\\"a\\\"\",\"maxBytes\":1048576,\"maxPriority\":3,\"bytes\":100000")
                    .contains("\"group\":\"user \\\"a\\\"/job\"");
        }
    }

    /** Fills the store over and over, until told to stop. How often it found no room. */
    private CompletableFuture<Integer> greedy(ResourceGroup group, AtomicBoolean stop, CountDownLatch rounds) {
        return inThread(() -> {
            int full = 0;
            while (!stop.get()) {
                try (Batch b = ray.startBatch(in(group))) {
                    // three times what there is
                    for (int n = 0; n < 480 && !stop.get(); n++) {
                        b.put(bytes(n % 7, SIZE));
                    }
                } catch (StoreFullException e) {
                    assertThat(e).hasMessageContaining("group 'user-a' holds");
                    full++;
                }
                rounds.countDown();
            }
            return full;
        });
    }

    /** Puts, while the other one is at work; all of it must be there in the end, and in memory. */
    private void modest(ResourceGroup group, CountDownLatch rounds) throws InterruptedException {
        try (Batch b = ray.startBatch(in(group))) {
            List<ObjectRef<byte[]>> refs = new ArrayList<>();
            while (rounds.getCount() > 0 || refs.size() < 15) {
                if (refs.size() < 15) {
                    refs.add(b.put(bytes(refs.size(), SIZE)));
                }
                for (int n = 0; n < refs.size(); n++) {
                    assertThat(refs.get(n).get()).isEqualTo(bytes(n, SIZE));
                }
                try (Batch request = ray.startBatch()) {
                    ObjectRef<byte[]> temporary = request.put(bytes(99, SIZE));
                    assertThat(temporary.get()).isEqualTo(bytes(99, SIZE));
                }
            }
            assertThat(b.status().spilled()).isZero();
            MemoryReport report = ray.memory();
            assertThat(report.batches())
                    .filteredOn(batch -> batch.id() == b.id())
                    .singleElement()
                    .satisfies(batch -> {
                        assertThat(batch.spilled()).isZero();
                        assertThat(batch.live()).isEqualTo(15L * SIZE);
                    });
            GroupStatus.Usage usage = group.usage();
            assertThat(usage.refused()).as("no put of its was refused, or waited").isZero();
            assertThat(usage.objects()).isEqualTo(15);
        }
    }

    @Test
    void c40_beside_a_greedy_job_that_is_spilled_a_modest_one_is_untouched() throws InterruptedException {
        reopen(config -> config.storeSize("16m").spillDirectory(directory));
        ResourceGroup modest = ray.group("user-b");
        AtomicBoolean stop = new AtomicBoolean();
        CountDownLatch rounds = new CountDownLatch(5);
        CompletableFuture<Integer> greedy = greedy(ray.group("user-a").group("greedy"), stop, rounds);
        try {
            modest(modest, rounds);
        } finally {
            stop.set(true);
            join(greedy);
        }
        assertThat(ray.stats().spillWritten()).isGreaterThan(100L << 20);
    }

    @Test
    @SuppressWarnings("try") // it is there, and no more
    void c40_beside_a_greedy_job_that_is_refused_a_modest_one_is_untouched() throws InterruptedException {
        reopen(config -> config.storeSize("16m"));
        ResourceGroup modest = ray.group("user-b");
        ResourceGroup user = ray.group("user-a");
        AtomicBoolean stop = new AtomicBoolean();
        CountDownLatch rounds = new CountDownLatch(20);
        CompletableFuture<Integer> greedy;
        try (Batch first = ray.startBatch(in(modest))) { // it is there before the other fills the store
            assertThat(modest.usage().batches()).isOne();
            ray.setCurrentBatch(0);
            greedy = greedy(user.group("greedy"), stop, rounds);
            try {
                modest(modest, rounds);
            } finally {
                stop.set(true);
            }
            assertThat(first.status().objects()).isZero();
        }
        assertThat(join(greedy)).isGreaterThanOrEqualTo(19);
        assertThat(user.usage().refused()).isGreaterThanOrEqualTo(19);
        assertThat(user.usage().held()).isZero();
    }
}
