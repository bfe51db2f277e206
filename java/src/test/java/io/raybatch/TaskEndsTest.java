package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How tasks and their batches end: by themselves, cancelled, out of time, given up, or with the store. */
@Timeout(60)
class TaskEndsTest extends StoreTest {

    private static void sleepLong() throws InterruptedException {
        Thread.sleep(1_000_000);
    }

    /** Until it is told; interrupts are ignored. */
    private static void spin(CountDownLatch until) {
        while (until.getCount() > 0) {
            LockSupport.parkNanos(1_000_000);
            Thread.interrupted();
        }
    }

    private static void until(String what, java.util.function.BooleanSupplier condition) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            LockSupport.parkNanos(1_000_000);
        }
    }

    @Test
    void closing_a_batch_waits_for_its_tasks_and_those_they_start() {
        AtomicInteger done = new AtomicInteger();
        RayApi here = ray;
        Batch b = ray.startBatch();
        b.task(() -> {
            Thread.sleep(30);
            here.task(() -> {
                Thread.sleep(30);
                done.incrementAndGet();
            }).remote();
            done.incrementAndGet();
        }).remote();
        b.close();
        assertThat(done).hasValue(2);
        assertThat(b.status().state().isCollected()).isTrue();
    }

    @Test
    void ending_a_batch_waits_and_says_what_was_released() {
        Batch b = ray.startBatch(77);
        b.task(() -> {
            Thread.sleep(30);
            return new byte[1000];
        }).remote();
        GcResult released = ray.endBatch(77, true);
        assertThat(released.objects()).isEqualTo(1);
        assertThat(released.bytes()).isEqualTo(1000);
    }

    @Test
    void ending_asynchronously_completes_after_the_last_task_without_a_thread() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        Batch b = ray.startBatch(78);
        b.task(() -> {
            go.await();
            return 1;
        }).remote();
        CompletableFuture<GcResult> ended = ray.endBatchAsync(78, true).toCompletableFuture();
        assertThat(ended).isNotDone();
        assertThat(b.status().state()).isEqualTo(BatchState.ENDED);
        go.countDown();
        assertThat(ended.get(20, TimeUnit.SECONDS).objects()).isEqualTo(1);
        assertThat(b.status().state().isCollected()).isTrue();
    }

    @Test
    void a_task_may_end_its_own_batch_and_goes_on() throws Exception {
        RayApi here = ray;
        Batch b = ray.startBatch(79);
        CompletableFuture<String> said = new CompletableFuture<>();
        b.task(() -> {
            GcResult result = here.endBatch(here.currentBatch(), true);
            ObjectRef<String> put = here.put("still");
            ObjectRef<String> sub = here.task(() -> "here").remote();
            said.complete(result + put.get() + sub.get() + here.currentBatch());
        }).remote();
        assertThat(said.get(20, TimeUnit.SECONDS)).isEqualTo(GcResult.NONE + "stillhere79");
        until("collected", () -> b.status().state().isCollected());
        assertThatThrownBy(() -> ray.endBatch(79)).isInstanceOf(BatchEndedException.class);
    }

    @Test
    void an_ended_batch_takes_no_task_from_outside() {
        Batch b = ray.startBatch(BatchOptions.builder().noCleanup().build());
        b.end();
        assertThatThrownBy(() -> b.task(() -> 1).remote()).isInstanceOf(BatchEndedException.class);
        assertThatThrownBy(() -> ray.task(() -> 1).remote()).as("it is current still").isInstanceOf(BatchEndedException.class);
        b.delete();
        assertThat(ray.task(() -> 1).remote().batchId()).isZero();
    }

    @Test
    void a_cancelled_task_says_who_cancelled_it() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        CompletableFuture<Throwable> seen = new CompletableFuture<>();
        try (Batch b = ray.startBatch()) {
            ObjectRef<Void> sleeping = b.task(() -> {
                running.countDown();
                try {
                    sleepLong();
                } catch (InterruptedException e) {
                    seen.complete(e);
                    throw e;
                }
            }).remote();
            ObjectRef<Integer> dependent = b.task((Void nothing) -> 1, sleeping).remote();
            running.await();
            assertThat(ray.cancel(sleeping)).isTrue();
            assertThatThrownBy(sleeping::get)
                    .isInstanceOf(TaskCancelledException.class)
                    .hasMessageContaining("cancelled by " + Thread.currentThread().getName())
                    .extracting(e -> ((TaskCancelledException) e).cancelledBy())
                    .isEqualTo(Thread.currentThread().getName());
            assertThatThrownBy(dependent::get).isInstanceOf(TaskCancelledException.class);
            assertThat(seen.get(20, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
            assertThat(ray.cancel(sleeping)).as("again").isFalse();
            ObjectRef<Integer> done = b.task(() -> 1).remote();
            done.get();
            until("over", () -> !ray.cancel(done));
        }
    }

    @Test
    void a_cancelled_task_is_refused_what_it_asks_for() throws Exception {
        CountDownLatch running = new CountDownLatch(1);
        CompletableFuture<List<Class<?>>> refused = new CompletableFuture<>();
        RayApi here = ray;
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> there = b.put(1);
            ObjectRef<Void> task = b.task(() -> {
                running.countDown();
                try {
                    sleepLong();
                } catch (InterruptedException e) {
                    List<Class<?>> all = new ArrayList<>();
                    all.add(thrownBy(() -> here.put(1)));
                    all.add(thrownBy(() -> here.get(there)));
                    all.add(thrownBy(() -> here.task(() -> 1).remote()));
                    all.add(thrownBy(() -> here.startBatch()));
                    all.add(thrownBy(() -> here.create(10)));
                    refused.complete(all);
                }
            }).remote();
            running.await();
            ray.cancel(task);
            assertThat(refused.get(20, TimeUnit.SECONDS)).containsOnly(TaskCancelledException.class);
        }
    }

    private static Class<?> thrownBy(Runnable what) {
        try {
            what.run();
            return null;
        } catch (RuntimeException e) {
            return e.getClass();
        }
    }

    @Test
    void cancelling_a_batch_cancels_all_it_has() throws Exception {
        CountDownLatch running = new CountDownLatch(2);
        Batch b = ray.startBatch();
        List<ObjectRef<Void>> refs = new ArrayList<>();
        for (int n = 0; n < 20; n++) {
            refs.add(b.task(() -> {
                running.countDown();
                sleepLong();
            }).remote());
        }
        running.await();
        ray.cancel(b);
        assertThat(b.status().reason()).contains(EndReason.CANCELLED);
        until("collected", () -> b.status().state().isCollected());
        assertThatThrownBy(() -> refs.get(19).get(SOON)).isInstanceOf(ObjectCollectedException.class);
        b.close();
        assertThat(ray.task(() -> 5).remote().get(SOON)).as("the engine goes on").isEqualTo(5);
    }

    @Test
    void a_timeout_cancels_fails_gets_and_collects() throws Exception {
        Batch b = ray.startBatch(BatchOptions.builder().timeout(Duration.ofMillis(100)).build());
        ObjectRef<Void> sleeping = b.task(TaskEndsTest::sleepLong).remote();
        assertThatThrownBy(() -> sleeping.get(SOON)).isInstanceOf(BatchTimedOutException.class);
        until("collected", () -> b.status().state().isCollected());
        assertThat(b.status().reason()).contains(EndReason.TIMED_OUT);
    }

    @Test
    void a_thread_that_ignores_its_interrupt_is_replaced_and_named() throws Exception {
        reopen(config -> config.taskSlots(1).interruptGrace(Duration.ofMillis(30)));
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch running = new CountDownLatch(1);
        AtomicReference<String> thread = new AtomicReference<>();
        CompletableFuture<Class<?>> later = new CompletableFuture<>();
        RayApi here = ray;
        try (Batch b = ray.startBatch()) {
            ObjectRef<Void> stubborn = b.task(() -> {
                thread.set(Thread.currentThread().getName());
                running.countDown();
                spin(release);
                later.complete(thrownBy(() -> here.put(1)));
            }).remote();
            running.await();
            ray.cancel(stubborn);
            assertThatThrownBy(() -> stubborn.get(SOON)).isInstanceOf(TaskCancelledException.class);
            assertThat(b.task(() -> 3).remote().get(SOON)).as("by another thread").isEqualTo(3);
            assertThat(b.status().abandonedThreads()).containsExactly(thread.get());
            release.countDown();
            assertThat(later.get(20, TimeUnit.SECONDS)).isEqualTo(TaskCancelledException.class);
        }
    }

    @Test
    void closing_the_client_gives_up_what_does_not_end() throws Exception {
        reopen(config -> config.taskSlots(2).interruptGrace(Duration.ofMillis(50)));
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch running = new CountDownLatch(2);
        CompletableFuture<Throwable> interrupted = new CompletableFuture<>();
        ray.task(() -> {
            running.countDown();
            spin(release);
        }).remote();
        ray.task(() -> {
            running.countDown();
            try {
                sleepLong();
            } catch (InterruptedException e) {
                interrupted.complete(e);
            }
        }).remote();
        running.await();
        long begun = System.nanoTime();
        ray.close();
        assertThat(Duration.ofNanos(System.nanoTime() - begun)).isLessThan(Duration.ofSeconds(10));
        assertThat(interrupted.get(20, TimeUnit.SECONDS)).isInstanceOf(InterruptedException.class);
        release.countDown();
    }

    @Test
    void a_closing_that_is_interrupted_returns_and_collection_follows() throws Exception {
        CountDownLatch go = new CountDownLatch(1);
        Batch b = ray.startBatch();
        b.task(() -> {
            go.await();
        }).remote();
        AtomicReference<Boolean> flag = new AtomicReference<>();
        Thread closer = new Thread(() -> {
            b.close();
            flag.set(Thread.currentThread().isInterrupted());
        });
        closer.start();
        until("waiting", () -> closer.getState() == Thread.State.TIMED_WAITING);
        closer.interrupt();
        closer.join(20_000);
        assertThat(flag.get()).isTrue();
        assertThat(b.status().state()).isEqualTo(BatchState.ENDED);
        go.countDown();
        until("collected", () -> b.status().state().isCollected());
    }

    @Test
    void an_end_within_a_batch_waits_for_inner_tasks_except_within_them() throws Exception {
        RayApi here = ray;
        Batch outer = ray.startBatch();
        AtomicInteger done = new AtomicInteger();
        Batch inner = outer.startBatch();
        inner.task(() -> {
            here.endBatch(outer.id(), true);
            done.incrementAndGet();
        }).remote();
        until("done", () -> done.get() == 1);
        until("collected", () -> outer.status().state().isCollected() && inner.status().state().isCollected());
    }

    @Test
    void what_was_freed_is_made_again_by_its_task() {
        AtomicInteger runs = new AtomicInteger();
        RayApi here = ray;
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> base = b.task(() -> {
                runs.incrementAndGet();
                return 20;
            }).remote();
            ObjectRef<ObjectId> nested = b.task((Integer x) -> {
                runs.incrementAndGet();
                return here.put(x + 1).id();
            }, base).remote();
            ObjectId inner = nested.get();
            assertThat(ray.ref(inner, Integer.class).get()).isEqualTo(21);
            ray.free(base, nested);
            ray.free(List.of(ray.ref(inner, Integer.class)));
            assertThat(nested.get(SOON)).isEqualTo(inner);
            assertThat(ray.ref(inner, Integer.class).get(SOON)).isEqualTo(21);
            assertThat(base.get(SOON)).isEqualTo(20);
            assertThat(runs).hasValue(4);
            ObjectRef<Integer> drivers = b.put(5);
            ray.free(drivers);
            assertThatThrownBy(() -> drivers.get(SOON)).isInstanceOf(ObjectLostException.class);
        }
    }

    @Test
    void free_takes_arguments_along_that_nobody_needs() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<byte[]> argument = b.put(new byte[1000]);
            ObjectRef<Integer> sized = b.task((byte[] x) -> x.length, argument).remote();
            assertThat(sized.get()).isEqualTo(1000);
            b.task(() -> 1).remote().get();
            until("done", () -> b.status().tasks().active() == 0);
            ray.free(List.of(sized), true);
            assertThat(ray.contains(argument)).isFalse();
        }
    }

    @Test
    void a_batch_with_active_tasks_is_no_leak_and_one_without_is() throws Exception {
        List<LeakReport> reports = java.util.Collections.synchronizedList(new ArrayList<>());
        reopen(config -> config.leakListener(reports::add));
        CountDownLatch go = new CountDownLatch(1);
        long id = abandonedWithTask(go);
        for (int n = 0; n < 5; n++) {
            System.gc();
            Thread.sleep(50);
        }
        assertThat(reports).isEmpty();
        assertThat(ray.status(id).state().isOpen()).isTrue();
        go.countDown();
        until("reported", () -> {
            System.gc();
            return !reports.isEmpty();
        });
        assertThat(reports.get(0).batchId()).isEqualTo(id);
    }

    private long abandonedWithTask(CountDownLatch go) {
        Batch b = ray.startBatch();
        b.task(() -> {
            go.await();
            return 1;
        }).remote();
        ray.setCurrentBatch(0);
        return b.id();
    }
}
