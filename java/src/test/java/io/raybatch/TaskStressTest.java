package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Threads that do at random whatever can be done with tasks, actors and batches: values are right, all ends, nothing is left. */
@Tag("slow")
@Timeout(120)
class TaskStressTest extends StoreTest {

    private static final int THREADS = 6;
    private static final int ROUNDS = 40;

    /** What may become of a task that others cancel, whose actor they kill, or whose batch they end. */
    private static final List<Class<?>> EXPECTED = List.of(TaskCancelledException.class, ActorDiedException.class,
            ObjectCollectedException.class, BatchEndedException.class, BatchTimedOutException.class);

    private final AtomicInteger values = new AtomicInteger();
    private final AtomicInteger failures = new AtomicInteger();

    static class Tally implements Checkpointable<int[]> {
        private int count;

        int inc() {
            return ++count;
        }

        int incSlowly() throws InterruptedException {
            Thread.sleep(1);
            return ++count;
        }

        @Override
        public int[] save() {
            return new int[] {count};
        }

        @Override
        public void restore(int[] state) {
            count = state[0];
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void whatever_happens_values_are_right_all_ends_and_nothing_is_left(long seed) throws Exception {
        reopen(config -> config.taskSlots(3).interruptGrace(Duration.ofMillis(20)).maxPendingTasks(200));
        List<CompletableFuture<Void>> threads = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
            Random random = new Random(seed * 100 + t);
            threads.add(inThread(() -> {
                for (int round = 0; round < ROUNDS; round++) {
                    oneRound(random);
                }
                return null;
            }));
        }
        for (CompletableFuture<Void> thread : threads) {
            thread.get(100, TimeUnit.SECONDS);
        }
        assertThat(values.get()).isGreaterThan(THREADS * ROUNDS);
        assertThat(failures).as("not all of it was for nothing").hasPositiveValue();
        ActorTest.until("all batches are collected", () -> ray.batches().isEmpty());
        ActorTest.until("all memory is free", () -> ray.stats().live() == 0);
        ray.internal().audit();
        assertThat(ray.list()).isEmpty();
        assertThat(ray.memory().batches()).as("but the root").allMatch(batch -> batch.parent() == 0 && batch.index() == 0);
        assertThat(ray.task(() -> 5).remote().get(SOON)).as("the engine goes on").isEqualTo(5);
        ray.evict(1 << 20);
    }

    private void oneRound(Random random) {
        switch (random.nextInt(4)) {
            case 0 -> chains(random);
            case 1 -> tally(random);
            case 2 -> nested(random);
            default -> cutShort(random);
        }
        ray.setCurrentBatch(0);
    }

    /** A value; null for a failure that may be. */
    private <T> T valueOf(ObjectRef<T> ref) {
        try {
            T value = ref.get(SOON);
            values.incrementAndGet();
            return value;
        } catch (RayException e) {
            if (!EXPECTED.contains(e.getClass())) {
                throw e;
            }
            failures.incrementAndGet();
            return null;
        }
    }

    /** Chains of tasks, of which some are cancelled and some results are freed. */
    private void chains(Random random) {
        try (Batch b = ray.startBatch(BatchOptions.builder().priority(random.nextInt(3)).build())) {
            List<ObjectRef<long[]>> refs = new ArrayList<>();
            List<Long> sums = new ArrayList<>();
            int size = random.nextInt(3) == 0 ? 10_000 : 10;
            refs.add(b.task((Integer n) -> filled(n, 1), size).remote());
            sums.add((long) size);
            for (int n = random.nextInt(15); n >= 0; n--) {
                int x = random.nextInt(refs.size());
                int y = random.nextInt(refs.size());
                refs.add(b.task(TaskStressTest::sum, refs.get(x), refs.get(y)).cpus(1 + random.nextInt(2)).remote());
                sums.add(sums.get(x) + sums.get(y));
                if (random.nextInt(12) == 0) {
                    ray.cancel(refs.get(random.nextInt(refs.size())));
                }
            }
            for (int look = 0; look < 10; look++) {
                int n = random.nextInt(refs.size());
                long[] value = valueOf(refs.get(n));
                if (value != null) {
                    assertThat(Arrays.stream(value).sum()).isEqualTo(sums.get(n));
                    if (random.nextInt(3) == 0) {
                        ray.free(refs.get(n));
                    }
                }
            }
        }
    }

    private static long[] filled(int size, long with) {
        long[] array = new long[size];
        Arrays.fill(array, with);
        return array;
    }

    private static long[] sum(long[] x, long[] y) {
        long[] sum = new long[x.length];
        Arrays.setAll(sum, n -> x[n] + y[n]);
        return sum;
    }

    /** An actor that is killed, saved, or has tasks cancelled meanwhile: each task that is done counts once, in order. */
    private void tally(Random random) {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Tally> tally = b.actor(Tally::new)
                    .checkpoints(random.nextBoolean() ? CheckpointPolicy.never() : CheckpointPolicy.every(1 + random.nextInt(4)))
                    .remote();
            // one that is killed while it is being constructed dies
            assertThat(tally.task(Tally::inc).remote().get(SOON)).isEqualTo(1);
            List<ObjectRef<Integer>> counts = new ArrayList<>();
            for (int n = 0; n < 20; n++) {
                counts.add((random.nextBoolean() ? tally.task(Tally::inc) : tally.task(Tally::incSlowly)).remote());
                switch (random.nextInt(12)) {
                    case 0 -> ray.kill(tally);
                    case 1 -> ray.checkpoint(tally);
                    case 2 -> ray.cancel(counts.get(random.nextInt(counts.size())));
                    case 3 -> valueOf(counts.get(n));
                    default -> { }
                }
            }
            int done = 1;
            for (ObjectRef<Integer> count : counts) {
                Integer value = valueOf(count);
                if (value != null) {
                    assertThat(value).isEqualTo(++done);
                }
            }
            if (random.nextBoolean()) {
                ray.kill(tally);
            }
            assertThat(tally.task(Tally::inc).remote().get(SOON)).isEqualTo(done + 1);
            if (random.nextInt(4) == 0) {
                ray.kill(tally, true);
            }
        }
    }

    /** Tasks that start batches and tasks, and wait for them. */
    private void nested(Random random) {
        int depth = 1 + random.nextInt(4);
        try (Batch b = ray.startBatch(BatchOptions.builder().maxTasks(1 + random.nextInt(2)).build())) {
            ObjectRef<Integer> leaves = b.task(() -> leaves(ray, depth)).remote();
            Integer value = valueOf(leaves);
            assertThat(value).isEqualTo(1 << depth);
        }
    }

    private static int leaves(RayApi here, int depth) {
        if (depth == 0) {
            return 1;
        }
        ObjectRef<Integer> one = here.task(() -> leaves(here, depth - 1)).remote();
        try (Batch inner = here.startBatch()) {
            return one.get() + inner.task(() -> leaves(here, depth - 1)).remote().get();
        }
    }

    /** A batch that ends before its tasks do, one way or another. */
    private void cutShort(Random random) {
        Duration time = random.nextInt(3) == 0 ? Duration.ofMillis(1 + random.nextInt(20)) : Duration.ofMinutes(5);
        Batch b = ray.startBatch(BatchOptions.builder().timeout(time).build());
        List<ObjectRef<Integer>> refs = new ArrayList<>();
        try {
            ActorHandle<Tally> tally = b.actor(Tally::new).remote();
            for (int n = 0; n < 15; n++) {
                int x = n;
                refs.add(switch (random.nextInt(4)) {
                    case 0 -> tally.task(Tally::incSlowly).batch(b).remote();
                    case 1 -> b.task(() -> {
                        Thread.sleep(random.nextInt(100));
                        return x;
                    }).remote();
                    case 2 -> b.task(() -> ray.task(() -> x).remote().get()).remote();
                    default -> b.task((Integer y) -> y, refs.isEmpty() ? b.put(x) : refs.get(random.nextInt(refs.size()))).remote();
                });
            }
            switch (random.nextInt(4)) {
                case 0 -> ray.cancel(b);
                case 1 -> ray.endBatchAsync(b.id(), true);
                case 2 -> b.task(() -> {
                    ray.endBatch(ray.currentBatch(), true);
                }).remote();
                default -> { }
            }
        } catch (RayException e) {
            if (!EXPECTED.contains(e.getClass())) {
                throw e;
            }
        }
        refs.forEach(this::valueOf);
        b.close();
    }
}
