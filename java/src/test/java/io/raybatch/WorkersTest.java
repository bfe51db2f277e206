package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.InputStream;
import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The engine's threads, and those who wait for them: what they tell, and what they let go of. */
@Timeout(60)
class WorkersTest extends StoreTest {

    /** Until it is told; interrupts are ignored. */
    private static void spin(CountDownLatch until) {
        while (until.getCount() > 0) {
            LockSupport.parkNanos(1_000_000);
            Thread.interrupted();
        }
    }

    @Test
    void who_is_interrupted_finds_itself_cancelled() throws Exception {
        RayApi here = ray;
        CountDownLatch over = new CountDownLatch(1);
        // who cancels is held up between any two of its steps
        for (int n = 0; n < Runtime.getRuntime().availableProcessors(); n++) {
            inThread(() -> {
                while (over.getCount() > 0) {
                    Thread.onSpinWait();
                }
                return null;
            });
        }
        try (Batch b = ray.startBatch()) {
            for (int n = 0; n < 1000; n++) {
                CountDownLatch running = new CountDownLatch(1);
                CompletableFuture<Boolean> refused = new CompletableFuture<>();
                ObjectRef<Void> task = b.task(() -> {
                    running.countDown();
                    try {
                        Thread.sleep(1_000_000);
                    } catch (InterruptedException e) {
                        try {
                            here.startBatch().end();
                            refused.complete(false);
                        } catch (TaskCancelledException told) {
                            refused.complete(true);
                        }
                    }
                }).remote();
                running.await();
                ray.cancel(task);
                assertThat(refused.get(20, TimeUnit.SECONDS)).as("round %d", n).isTrue();
            }
        } finally {
            over.countDown();
        }
    }

    @Test
    void who_waits_for_room_is_told_when_the_store_closes() throws Exception {
        reopen(config -> config.taskSlots(1).maxPendingTasks(2).interruptGrace(Duration.ofMillis(50)));
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch running = new CountDownLatch(1);
        RayApi here = ray;
        try {
            ray.task(() -> {
                running.countDown();
                spin(release);
            }).remote();
            running.await();
            AtomicReference<Thread> submitter = new AtomicReference<>();
            CompletableFuture<Integer> outside = inThread(() -> {
                submitter.set(Thread.currentThread());
                for (int n = 0; ; n++) {
                    here.task(() -> 1).remote();
                }
            });
            awaitParked(submitter);
            ray.close();
            assertThatThrownBy(() -> join(outside)).isInstanceOf(RayClosedException.class);
        } finally {
            release.countDown();
        }
    }

    @Test
    void who_waits_for_room_is_told_when_its_own_client_closes() throws Exception {
        reopen(config -> config.taskSlots(1).maxPendingTasks(2));
        CountDownLatch release = new CountDownLatch(1);
        RayApi other = RayApi.connect(ray.storeName());
        try {
            ray.task(() -> release.await()).remote();
            AtomicReference<Thread> submitter = new AtomicReference<>();
            CompletableFuture<Integer> outside = inThread(() -> {
                submitter.set(Thread.currentThread());
                for (int n = 0; ; n++) {
                    other.task(() -> 1).remote();
                }
            });
            awaitParked(submitter);
            other.close();
            assertThatThrownBy(() -> join(outside)).isInstanceOf(RayClosedException.class);
        } finally {
            release.countDown();
        }
    }

    @Test
    void a_task_that_waits_for_room_is_told_when_the_store_closes() throws Exception {
        reopen(config -> config.taskSlots(2).maxPendingTasks(3).interruptGrace(Duration.ofMillis(50)));
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch running = new CountDownLatch(1);
        CompletableFuture<Throwable> told = new CompletableFuture<>();
        AtomicReference<Thread> submitter = new AtomicReference<>();
        RayApi here = ray;
        try {
            // as long as it runs, room may come
            ray.task(() -> {
                running.countDown();
                spin(release);
            }).remote();
            running.await();
            ray.task(() -> {
                submitter.set(Thread.currentThread());
                try {
                    while (true) {
                        here.task(() -> {
                            spin(release);
                        }).remote();
                    }
                } catch (Throwable e) {
                    told.complete(e);
                }
            }).remote();
            awaitParked(submitter);
            ray.close();
            assertThat(told.get(20, TimeUnit.SECONDS)).isInstanceOfAny(RayClosedException.class, TaskCancelledException.class);
        } finally {
            release.countDown();
        }
    }

    /** It waits, and not only for a moment. */
    private static void awaitParked(AtomicReference<Thread> thread) {
        int parked = 0;
        for (long end = System.nanoTime() + SOON.toNanos(); parked < 20; ) {
            assertThat(System.nanoTime()).isLessThan(end);
            Thread known = thread.get();
            boolean waits = known != null && (known.getState() == Thread.State.WAITING
                    || known.getState() == Thread.State.TIMED_WAITING);
            parked = waits ? parked + 1 : 0;
            LockSupport.parkNanos(1_000_000);
        }
    }

    /** For a class loader of its own. */
    public static final class Elsewhere implements RayFunc0<Integer> {
        private static final long serialVersionUID = 1;

        @Override
        public Integer call() {
            return 3;
        }
    }

    /** Defines one class anew. */
    private static final class Own extends ClassLoader {

        Own() {
            super(WorkersTest.class.getClassLoader());
        }

        RayFunc0<Integer> function() throws Exception {
            String name = Elsewhere.class.getName();
            try (InputStream in = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
                byte[] bytes = in.readAllBytes();
                @SuppressWarnings("unchecked")
                RayFunc0<Integer> function = (RayFunc0<Integer>) defineClass(name, bytes, 0, bytes.length)
                        .getDeclaredConstructor().newInstance();
                return function;
            }
        }
    }

    private WeakReference<ClassLoader> runElsewhere() throws Exception {
        Own loader = new Own();
        try (Batch b = ray.startBatch()) {
            for (int n = 0; n < 10; n++) {
                assertThat(b.task(loader.function()).remote().get(SOON)).isEqualTo(3);
                loader = new Own();
            }
            RayFunc0<Integer> last = loader.function();
            assertThat(b.task(last).remote().get(SOON)).isEqualTo(3);
        }
        return new WeakReference<>(loader);
    }

    @Test
    void a_worker_that_rests_holds_on_to_nothing_of_what_it_ran() throws Exception {
        WeakReference<ClassLoader> loader = runElsewhere();
        until("its class loader is unreachable", () -> {
            System.gc();
            return loader.get() == null;
        });
    }

    @Test
    void as_many_tasks_run_at_a_time_as_there_are_slots() {
        reopen(config -> config.taskSlots(2));
        for (int round = 0; round < 50; round++) {
            CyclicBarrier both = new CyclicBarrier(2);
            AtomicInteger now = new AtomicInteger();
            AtomicInteger most = new AtomicInteger();
            try (Batch b = ray.startBatch()) {
                List<ObjectRef<Void>> all = new ArrayList<>();
                for (int n = 0; n < 12; n++) {
                    all.add(b.task(() -> {
                        most.accumulateAndGet(now.incrementAndGet(), Math::max);
                        both.await(20, TimeUnit.SECONDS);
                        now.decrementAndGet();
                    }).remote());
                }
                ray.get(all, SOON);
            }
            assertThat(most).hasValue(2);
        }
    }

    @Test
    void a_task_that_sets_its_threads_class_loader_sets_it_for_itself_only() {
        reopen(config -> config.taskSlots(1));
        ClassLoader own = WorkersTest.class.getClassLoader();
        try (Batch b = ray.startBatch()) {
            for (int n = 0; n < 3; n++) {
                assertThat(b.task(() -> {
                    boolean was = Thread.currentThread().getContextClassLoader() == own;
                    Thread.currentThread().setContextClassLoader(null);
                    return was;
                }).remote().get(SOON)).isTrue();
            }
        }
    }

    private static volatile WeakReference<Late> late;

    static final class Late {
        Late(CountDownLatch running, CountDownLatch release) {
            late = new WeakReference<>(this);
            running.countDown();
            spin(release);
        }
    }

    @Test
    void an_instance_that_is_made_when_its_thread_was_given_up_is_held_by_nobody() throws Exception {
        reopen(config -> config.interruptGrace(Duration.ofMillis(30)));
        CountDownLatch running = new CountDownLatch(1);
        CountDownLatch release = new CountDownLatch(1);
        try (Batch b = ray.startBatch()) {
            ActorHandle<Late> actor = b.actor(() -> new Late(running, release)).remote();
            running.await();
            ray.kill(actor, true);
            until("its thread is given up", () -> !b.status().abandonedThreads().isEmpty());
            release.countDown();
            until("its instance is unreachable", () -> {
                System.gc();
                return late.get() == null;
            });
        }
    }

    private static void until(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            LockSupport.parkNanos(1_000_000);
        }
    }
}
