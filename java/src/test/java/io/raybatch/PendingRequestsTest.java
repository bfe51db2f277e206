package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What was asked for before a batch ended arrives, although the batch is collected right after its last task. */
@Timeout(120)
class PendingRequestsTest extends StoreTest {

    private static final int ROUNDS = 300;

    private static void until(BooleanSupplier condition, String what) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime() - end).as("waiting until %s", what).isNegative();
            Thread.onSpinWait();
            Thread.yield();
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertThat(latch.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** That thread waits in raybatch. */
    private static void untilParked(AtomicReference<Thread> thread) {
        until(() -> thread.get() != null && thread.get().getState() == Thread.State.TIMED_WAITING, "the getter waits");
    }

    @Test
    void a_stage_receives_the_value_that_it_asked_for_before_the_batch_was_closed() {
        for (int n = 0; n < ROUNDS; n++) {
            int round = n;
            CountDownLatch go = new CountDownLatch(1);
            CompletableFuture<Integer> stage;
            try (Batch b = ray.startBatch()) {
                stage = b.task(() -> {
                    await(go);
                    return round;
                }).remote().stage().toCompletableFuture();
                go.countDown();
            }
            assertThat(join(stage)).isEqualTo(round);
        }
    }

    @Test
    void a_getter_that_waits_receives_the_value_when_the_batch_is_closed() {
        for (int n = 0; n < ROUNDS; n++) {
            int round = n;
            CountDownLatch go = new CountDownLatch(1);
            AtomicReference<Thread> getter = new AtomicReference<>();
            CompletableFuture<Integer> got;
            try (Batch b = ray.startBatch()) {
                ObjectRef<Integer> ref = b.task(() -> {
                    await(go);
                    return round;
                }).remote();
                got = inThread(() -> {
                    getter.set(Thread.currentThread());
                    return ref.get();
                });
                untilParked(getter);
                go.countDown();
            }
            assertThat(join(got)).isEqualTo(round);
        }
    }

    @Test
    void a_getter_of_more_than_it_watches_at_a_time_receives_all_of_them() {
        int count = 3000;
        CountDownLatch go = new CountDownLatch(1);
        AtomicReference<Thread> getter = new AtomicReference<>();
        CompletableFuture<List<Integer>> got;
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> first = b.task(() -> {
                await(go);
                return 0;
            }).remote();
            List<ObjectRef<Integer>> refs = new ArrayList<>(List.of(first));
            for (int n = 1; n < count; n++) {
                int value = n;
                refs.add(b.task((Integer before) -> value, first).remote());
            }
            RayApi here = ray;
            got = inThread(() -> {
                getter.set(Thread.currentThread());
                return here.get(refs);
            });
            untilParked(getter);
            go.countDown();
        }
        assertThat(join(got)).isEqualTo(IntStream.range(0, count).boxed().toList());
    }

    @Test
    void what_a_task_failed_with_arrives_like_a_value() {
        CountDownLatch go = new CountDownLatch(1);
        CompletableFuture<Object> stage;
        try (Batch b = ray.startBatch()) {
            stage = b.task(() -> {
                await(go);
                throw new IllegalStateException("as it should");
            }).remote().stage().toCompletableFuture();
            go.countDown();
        }
        assertThatThrownBy(() -> join(stage)).isInstanceOf(TaskException.class).hasRootCauseMessage("as it should");
    }

    @Test
    void a_kept_object_arrives_although_its_new_owner_is_closed_with_it() {
        for (int n = 0; n < ROUNDS; n++) {
            CountDownLatch go = new CountDownLatch(1);
            CompletableFuture<String> stage;
            Batch outer = ray.startBatch();
            try (Batch inner = ray.startBatch()) {
                ObjectRef<String> ref = inner.task(() -> {
                    await(go);
                    return "kept";
                }).remote();
                inner.keep(ref);
                stage = ref.stage().toCompletableFuture();
                go.countDown();
            }
            outer.close();
            assertThat(join(stage)).isEqualTo("kept");
        }
    }

    @Test
    void an_object_of_a_writer_arrives_when_it_is_sealed_and_its_batch_closed_at_once() {
        for (int n = 0; n < ROUNDS; n++) {
            CompletableFuture<byte[]> stage;
            try (Batch b = ray.startBatch()) {
                ObjectWriter writer = b.create(100);
                stage = writer.ref().stage().toCompletableFuture();
                seal(writer, bytes(n, 100));
            }
            assertThat(join(stage)).isEqualTo(bytes(n, 100));
        }
    }

    @Test
    void a_batch_drains_until_its_values_were_read_and_no_longer() {
        ray.task(() -> 1).remote().get();
        int before = Wakeups.count();
        List<Long> ids = new ArrayList<>();
        List<CompletableFuture<byte[]>> stages = new ArrayList<>();
        for (int n = 0; n < 50; n++) {
            CountDownLatch go = new CountDownLatch(1);
            try (Batch b = ray.startBatch()) {
                ids.add(b.id());
                stages.add(b.task(() -> {
                    await(go);
                    return new byte[10_000];
                }).remote().stage().toCompletableFuture());
                go.countDown();
            }
        }
        stages.forEach(StoreTest::join);
        for (long id : ids) {
            until(() -> ray.status(id).state() == BatchState.COLLECTED, "nothing is pinned");
        }
        assertThat(Wakeups.count()).isEqualTo(before);
    }

    @Test
    void a_stage_that_is_given_up_holds_nothing() {
        reopen(config -> config.taskSlots(2));
        ray.task(() -> 1).remote().get();
        int before = Wakeups.count();
        CountDownLatch go = new CountDownLatch(1);
        long id;
        try (Batch b = ray.startBatch()) {
            id = b.id();
            ObjectRef<byte[]> ref = b.task(() -> {
                await(go);
                return new byte[10_000];
            }).remote();
            for (int n = 0; n < 100; n++) {
                CompletableFuture<byte[]> timed = ref.stage().toCompletableFuture().orTimeout(1, TimeUnit.MILLISECONDS);
                assertThatThrownBy(timed::get).isInstanceOf(ExecutionException.class);
                ref.stage().toCompletableFuture().cancel(true);
                assertThatThrownBy(() -> ref.get(Duration.ofMillis(1))).isInstanceOf(GetTimeoutException.class);
            }
            // the thread that completes a stage first runs what depends on it
            until(() -> Wakeups.count() <= before + 1, "all tokens were forgotten");
            go.countDown();
        }
        until(() -> ray.status(id).state() == BatchState.COLLECTED, "nothing is pinned");
    }

    @Test
    void whoever_waits_for_a_batch_that_times_out_or_is_cancelled_is_told_so() {
        CountDownLatch never = new CountDownLatch(1);
        BatchOptions soon = BatchOptions.builder().timeout(Duration.ofMillis(100)).build();
        Batch timed = ray.startBatch(soon);
        CompletableFuture<Void> stage = timed.task(() -> never.await()).remote().stage().toCompletableFuture();
        assertThatThrownBy(() -> join(stage)).isInstanceOf(RayException.class).hasMessageContaining("timed out");
        timed.close();
        Batch cancelled = ray.startBatch();
        CompletableFuture<Void> other = cancelled.task(() -> never.await()).remote().stage().toCompletableFuture();
        ray.cancel(cancelled);
        assertThatThrownBy(() -> join(other)).isInstanceOf(RayException.class).hasMessageContaining("cancelled");
        cancelled.close();
    }

    @Test
    void closing_runs_none_of_what_depends_on_a_stage() {
        CountDownLatch go = new CountDownLatch(1);
        CompletableFuture<Thread> ran;
        try (Batch b = ray.startBatch()) {
            ran = b.task(() -> {
                await(go);
                return 1;
            }).remote().stage().toCompletableFuture().thenApply(value -> Thread.currentThread());
            go.countDown();
        }
        Thread thread = ran.orTimeout(SOON.toSeconds(), TimeUnit.SECONDS).join();
        assertThat(thread).isNotSameAs(Thread.currentThread()).isNotInstanceOf(Worker.class);
    }

    @Test
    void a_client_that_closes_ends_its_claims() {
        CountDownLatch go = new CountDownLatch(1);
        RayApi other = RayApi.connect(ray.storeName());
        CompletableFuture<byte[]> stage;
        long id;
        try (Batch b = ray.startBatch()) {
            id = b.id();
            ObjectRef<byte[]> ref = b.task(() -> {
                await(go);
                return new byte[10_000];
            }).remote();
            ObjectRef<byte[]> theirs = other.ref(ref.id(), byte[].class);
            stage = theirs.stage().toCompletableFuture();
            other.close();
            go.countDown();
        }
        assertThatThrownBy(() -> join(stage)).isInstanceOf(RayClosedException.class);
        until(() -> ray.status(id).state() == BatchState.COLLECTED, "nothing is pinned");
    }
}
