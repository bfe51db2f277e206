package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What callers see of a batch's end: one exception for a deadline, the reason on each, and how long a close waits. */
@SuppressWarnings("try") // handles are closed early on purpose
class BatchEndTest extends StoreTest {

    private static final CountDownLatch NEVER = new CountDownLatch(1);
    private static final AtomicReference<RuntimeException> SEEN_BY_TASK = new AtomicReference<>();

    static class Counter {
        private int n;

        int next() {
            return ++n;
        }
    }

    /** What is used first takes its time, which is not the deadline's. */
    @BeforeEach
    void useOnce() {
        assertThat(ray.put(1).get()).isEqualTo(1);
        assertThat(ray.task(BatchEndTest::add, 1, 2).remote().get()).isEqualTo(3);
    }

    static int hang() throws InterruptedException {
        NEVER.await();
        return 1;
    }

    static int add(int a, int b) {
        return a + b;
    }

    static void timedOut(ThrowingCallable call, long batch) {
        assertThatThrownBy(call).isInstanceOfSatisfying(BatchTimedOutException.class, e -> {
            assertThat(e.batchEndReason()).contains(EndReason.TIMED_OUT);
            assertThat(e.code()).isEqualTo(ErrorCode.BATCH_TIMED_OUT);
            assertThat(e).hasMessageContaining("batch " + batch).hasMessageContaining("timed out");
        });
    }

    static void awaitEnd(Batch b) {
        long until = System.nanoTime() + SOON.toNanos();
        while (!b.status().state().isCollected() && System.nanoTime() < until) {
            Thread.onSpinWait();
        }
        assertThat(b.status().state().isCollected()).isTrue();
    }

    @Test
    void a_deadline_is_one_exception_whichever_call_meets_it_first() {
        Batch b = ray.startBatch(BatchOptions.builder().timeout(Duration.ofMillis(700)).build());
        ObjectRef<Integer> value = b.put(1);
        ObjectRef<Integer> hangs = b.task(BatchEndTest::hang).remote();
        ObjectRef<Integer> dependent = b.task(BatchEndTest::add, hangs, 1).remote();
        ObjectWriter unsealed = b.create(10);
        CompletableFuture<Integer> stage = hangs.stage().toCompletableFuture();
        long id = b.id();
        timedOut(hangs::get, id);
        awaitEnd(b);
        timedOut(() -> ray.get(hangs, Duration.ofSeconds(10)), id);
        timedOut(dependent::get, id);
        timedOut(value::get, id);
        timedOut(() -> ray.get(List.of(value, hangs)), id);
        timedOut(() -> ray.read(value), id);
        timedOut(() -> unsealed.ref().get(), id);
        timedOut(() -> ray.put(1), id);
        timedOut(() -> b.put(1), id);
        timedOut(() -> b.create(1), id);
        timedOut(() -> b.task(BatchEndTest::add, 1, 2).remote(), id);
        timedOut(() -> ray.startBatch(), id);
        timedOut(() -> b.startBatch(), id);
        timedOut(() -> b.keep(value), id);
        timedOut(() -> ray.endBatch(id), id);
        timedOut(b::end, id);
        timedOut(() -> ray.ref(value.id(), Integer.class), id);
        assertThatThrownBy(() -> stage.get(10, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class).hasCauseInstanceOf(BatchTimedOutException.class);
        b.close();
        timedOut(() -> ray.task(BatchEndTest::add, value, 1).remote(), id);
    }

    @Test
    void also_in_a_batch_within_it_and_in_a_task_of_it() {
        SEEN_BY_TASK.set(null);
        Batch outer = ray.startBatch(BatchOptions.builder().timeout(Duration.ofMillis(700)).build());
        Batch inner = ray.startBatch();
        RayApi client = ray;
        CountDownLatch over = new CountDownLatch(1);
        ObjectRef<Integer> result = inner.task(() -> {
            try {
                return hang();
            } catch (InterruptedException cancelled) {
                try {
                    client.put(1);
                } catch (RuntimeException e) {
                    SEEN_BY_TASK.set(e);
                }
                over.countDown();
                throw cancelled;
            }
        }).remote();
        timedOut(result::get, outer.id());
        awaitEnd(inner);
        timedOut(() -> ray.put(1), outer.id());
        assertThatThrownBy(() -> ray.put(1)).hasMessageContaining("around it");
        assertThat(awaits(over)).isTrue();
        timedOut(() -> {
            throw SEEN_BY_TASK.get();
        }, outer.id());
        inner.close();
        outer.close();
    }

    private static boolean awaits(CountDownLatch latch) {
        try {
            return latch.await(SOON.toSeconds(), TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void each_exception_of_a_batch_that_ended_has_the_reason() {
        Batch b = ray.startBatch();
        ObjectRef<Integer> value = b.put(1);
        ObjectRef<Integer> hangs = b.task(BatchEndTest::hang).remote();
        ray.cancel(b);
        assertThatThrownBy(hangs::get).isInstanceOfSatisfying(
                RayException.class, e -> assertThat(e.batchEndReason()).contains(EndReason.CANCELLED));
        awaitEnd(b);
        assertThatThrownBy(value::get).isInstanceOfSatisfying(
                ObjectCollectedException.class, e -> assertThat(e.batchEndReason()).contains(EndReason.CANCELLED));
        b.close();
        Batch c = ray.startBatch();
        ObjectRef<Integer> other = c.put(1);
        c.close();
        assertThatThrownBy(other::get).isInstanceOfSatisfying(
                ObjectCollectedException.class, e -> assertThat(e.batchEndReason()).contains(EndReason.CLOSED));
        assertThatThrownBy(() -> c.put(1)).isInstanceOfSatisfying(
                BatchEndedException.class, e -> assertThat(e.batchEndReason()).contains(EndReason.CLOSED));
        assertThatThrownBy(() -> ray.put(null)).isInstanceOfSatisfying(
                RayException.class, e -> assertThat(e.batchEndReason()).isEmpty());
    }

    @Test
    void a_close_that_waits_for_so_long_then_cancels_what_is_not_over() {
        Batch b = ray.startBatch();
        ObjectRef<Integer> hangs = b.task(BatchEndTest::hang).remote();
        assertThat(b.close(Duration.ofMillis(20))).isFalse();
        assertThat(b.status().state()).isEqualTo(BatchState.COLLECTED);
        assertThat(b.status().tasks().running()).isZero();
        assertThatThrownBy(hangs::get).isInstanceOf(RayException.class);
        assertThat(ray.currentBatch()).isZero();

        Batch quick = ray.startBatch();
        quick.task(BatchEndTest::add, 1, 2).remote();
        assertThat(quick.close(SOON)).isTrue();
        assertThat(quick.close(Duration.ZERO)).as("again").isTrue();
        assertThatThrownBy(() -> quick.close(Duration.ofMillis(-1))).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void a_close_with_a_time_gives_up_a_task_that_ignores_its_interrupt() {
        CountDownLatch end = new CountDownLatch(1);
        Batch b = ray.startBatch();
        b.task(() -> {
            while (end.getCount() > 0) {
                Thread.onSpinWait();
            }
        }).remote();
        try {
            assertThat(b.close(Duration.ofMillis(20))).isFalse();
            assertThat(b.status().abandonedThreads()).hasSizeLessThanOrEqualTo(1);
            assertThat(b.status().state()).isEqualTo(BatchState.COLLECTED);
        } finally {
            end.countDown();
        }
    }

    @Test
    void a_body_that_throws_need_not_wait_for_its_tasks() {
        BatchOptions cancels = BatchOptions.builder().onFailure(OnFailure.CANCEL).build();
        AtomicReference<Batch> failed = new AtomicReference<>();
        assertThatThrownBy(() -> {
            try (Batch b = ray.startBatch(cancels)) {
                failed.set(b);
                b.task(BatchEndTest::hang).remote();
                throw new IllegalStateException("the body's");
            }
        }).isInstanceOf(IllegalStateException.class).hasMessage("the body's").hasNoSuppressedExceptions();
        assertThat(failed.get().status().reason()).contains(EndReason.CANCELLED);
        assertThat(failed.get().status().state()).isEqualTo(BatchState.COLLECTED);

        ObjectRef<Integer> sum;
        try (Batch b = ray.startBatch(cancels)) {
            sum = b.task(BatchEndTest::add, 1, 2).remote();
            b.keep(sum);
            b.end();
        }
        assertThat(sum.get()).isEqualTo(3);
        try (Batch b = ray.startBatch(cancels)) {
            b.put(1);
        }
    }

    @Test
    void an_actor_that_ended_with_its_batch_says_why() {
        for (EndReason reason : List.of(EndReason.TIMED_OUT, EndReason.CLOSED)) {
            BatchOptions.Builder options = BatchOptions.builder();
            Batch b = ray.startBatch(reason == EndReason.TIMED_OUT ? options.timeout(Duration.ofMillis(700)).build() : options.build());
            ActorHandle<Counter> actor = b.actor(Counter::new).remote();
            assertThat(actor.task(Counter::next).remote().get()).isEqualTo(1);
            if (reason == EndReason.CLOSED) {
                b.close();
            }
            awaitEnd(b);
            b.close();
            Class<?> type = reason == EndReason.TIMED_OUT ? BatchTimedOutException.class : ActorDiedException.class;
            assertThatThrownBy(() -> actor.task(Counter::next).remote().get())
                    .isInstanceOfSatisfying(RayException.class, e -> {
                        assertThat(e).isInstanceOf(type);
                        assertThat(e.batchEndReason()).contains(reason);
                    });
        }
    }
}
