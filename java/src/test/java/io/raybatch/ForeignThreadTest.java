package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Threads that are no workers wait for tasks, and a task waits for such a thread: with one cpu. */
@Timeout(60)
class ForeignThreadTest extends StoreTest {

    @BeforeEach
    void oneCpu() {
        reopen(config -> config.taskSlots(1));
    }

    private static int nested(RayApi ray, int depth) {
        ObjectRef<Integer> inner = ray.task(() -> depth == 0 ? 0 : nested(ray, depth - 1)).remote();
        return CompletableFuture.supplyAsync(() -> ray.get(inner), task -> new Thread(task).start()).join() + 1;
    }

    @Test
    void a_task_may_join_a_thread_that_gets_the_result_of_another_task() {
        RayApi here = ray;
        assertThat(ray.task(() -> nested(here, 2)).remote().get(SOON)).isEqualTo(3);
    }

    @Test
    void a_task_may_join_a_stage() {
        RayApi here = ray;
        ObjectRef<Integer> outer =
                ray.task(() -> here.task(() -> 1).remote().stage().toCompletableFuture().join() + 1).remote();
        assertThat(join(outer.stage().toCompletableFuture())).isEqualTo(2);
    }

    @Test
    void a_task_may_join_a_thread_that_waits_for_some_of_several() {
        RayApi here = ray;
        ObjectRef<Integer> outer = ray.task(() -> {
            List<ObjectRef<Integer>> refs = List.of(here.task(() -> 1).remote(), here.task(() -> 2).remote());
            return CompletableFuture.supplyAsync(() -> here.wait(refs, 1, SOON).ready().size()).join();
        }).remote();
        assertThat(outer.get(SOON)).isPositive();
    }

    @Test
    void a_thread_that_closes_a_batch_may_be_joined() {
        RayApi here = ray;
        ObjectRef<Integer> outer = ray.task(() -> CompletableFuture.supplyAsync(() -> {
            try (Batch b = here.startBatch()) {
                b.task(() -> 1).remote();
            }
            return 5;
        }).join()).remote();
        assertThat(outer.get(SOON)).isEqualTo(5);
    }

    @Test
    void a_cpu_that_was_lent_is_in_use_again_when_the_task_goes_on() {
        RayApi here = ray;
        AtomicInteger running = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        ObjectRef<Integer> outer = ray.task(() -> nested(here, 0)).remote();
        assertThat(outer.get(SOON)).isEqualTo(1);
        List<ObjectRef<Void>> refs = java.util.stream.IntStream.range(0, 200).mapToObj(n -> here.task(() -> {
            most.accumulateAndGet(running.incrementAndGet(), Math::max);
            Thread.yield();
            running.decrementAndGet();
        }).remote()).toList();
        ray.get(refs);
        assertThat(most).hasValue(1);
    }

    @Test
    void a_task_that_sleeps_keeps_its_cpu() {
        CountDownLatch sleeping = new CountDownLatch(1);
        AtomicBoolean over = new AtomicBoolean();
        AtomicBoolean began = new AtomicBoolean();
        ObjectRef<Void> sleeper = ray.task(() -> {
            sleeping.countDown();
            while (!over.get()) {
                Thread.sleep(50);
            }
        }).remote();
        try {
            assertThat(sleeping.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            ObjectRef<Void> next = ray.task(() -> began.set(true)).remote();
            assertThatThrownBy(() -> next.get(Duration.ofMillis(700))).isInstanceOf(GetTimeoutException.class)
                    .hasMessageContaining("is ready, and waits for a cpu");
            assertThat(began).isFalse();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            over.set(true);
        }
        sleeper.get();
    }
}
