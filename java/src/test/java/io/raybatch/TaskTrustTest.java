package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** What a program may do wrong with tasks and actors, by accident or not: it gets an exception that says what, and nobody else does. */
class TaskTrustTest extends TaskStoreTest {

    // ---- what is not there, or another's -----------------------------------------------------------------------------------

    @Test
    void a_handle_that_was_made_up_is_refused_whatever_is_asked_of_it() {
        ray.actor(Counter::new).remote();
        for (int number : new int[] {0, -1, 77, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
            ActorHandle<Counter> forged = new ActorHandle<>(ray, null, number, "forged");
            assertThatThrownBy(() -> forged.task(Counter::incAndGet).remote().get(SOON))
                    .as("task on %d", number).isInstanceOf(RayException.class).isNotInstanceOf(GetTimeoutException.class);
            assertThatThrownBy(() -> ray.checkpoint(forged).get(SOON))
                    .as("checkpoint of %d", number).isInstanceOf(RayException.class).isNotInstanceOf(GetTimeoutException.class);
            ray.kill(forged);
            ray.kill(forged, true);
            ray.cancel(forged);
            try (Batch batch = ray.startBatch()) {
                assertThatThrownBy(() -> batch.keep(forged)).as("keep %d", number).isInstanceOf(RayException.class);
            }
        }
        assertThat(ray.task(TaskStoreTest::twice, 1).remote().get()).isEqualTo(2);
    }

    @Test
    void a_reference_of_another_store_is_no_argument_and_nothing_is_waited_for_in_vain() {
        try (RayApi other = open(config -> config)) {
            ObjectRef<Integer> ofNormalMode = other.put(1);
            Batch batch = other.startBatch();
            ObjectRef<Integer> ofABatch = batch.put(1);
            ObjectRef<Integer> ofATask = other.task(TaskStoreTest::twice, 1).remote();
            for (ObjectRef<Integer> foreign : List.of(ofNormalMode, ofABatch, ofATask)) {
                assertThatThrownBy(() -> ray.task(TaskStoreTest::twice, foreign).remote().get(SOON))
                        .isInstanceOf(ObjectNotFoundException.class).hasMessageContaining(other.storeName());
            }
            assertThat(ofABatch.get()).isEqualTo(1);
            batch.close();
        }
    }

    @Test
    void another_stores_reference_or_actor_is_not_cancelled_or_killed_by_halves() {
        CountDownLatch runs = new CountDownLatch(2);
        CountDownLatch never = new CountDownLatch(1);
        try (RayApi other = open(config -> config)) {
            ray.task(TaskStoreTest::twice, 1).remote().get();
            RayFunc0<Integer> waits = () -> {
                runs.countDown();
                never.await();
                return 1;
            };
            ObjectRef<Integer> running = other.task(waits).remote();
            ActorHandle<Counter> actor = other.actor(Counter::new).remote();
            ObjectRef<Integer> method = actor.task((Counter c) -> waits.call()).remote();
            await(runs);
            // both are refused: what must not be is a task that is cancelled and runs on
            assertThatThrownBy(() -> ray.cancel(running)).isInstanceOf(ObjectNotFoundException.class).hasMessageContaining("store");
            assertThatThrownBy(() -> ray.kill(actor, true)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("store");
            assertThat(other.contains(running)).isFalse();
            other.cancel(running);
            other.kill(actor, true);
            assertThatThrownBy(() -> running.get(SOON)).isInstanceOf(TaskCancelledException.class);
            assertThatThrownBy(() -> method.get(SOON)).isInstanceOf(ActorDiedException.class);
        }
    }

    @Test
    void nothing_is_done_with_a_closed_client() {
        ObjectRef<Integer> ref = ray.task(TaskStoreTest::twice, 1).remote();
        ActorHandle<Counter> actor = ray.actor(Counter::new).remote();
        Batch batch = ray.startBatch();
        TaskCaller<Integer> caller = ray.task(TaskStoreTest::twice, 1);
        ref.get();
        ray.close();
        List<Runnable> calls = List.of(
                caller::remote, () -> caller.remote(2), () -> ray.task(TaskStoreTest::twice, ref).remote(), ref::get,
                () -> ray.actor(Counter::new).remote(), () -> actor.task(Counter::incAndGet).remote(), () -> ray.checkpoint(actor),
                () -> ray.cancel(actor), () -> ray.kill(actor), () -> ray.kill(actor, true),
                () -> ray.cancel(batch), () -> ray.rollback(batch), batch::end, () -> batch.task(TaskStoreTest::twice, 1).remote());
        for (int n = 0; n < calls.size(); n++) {
            assertThatThrownBy(calls.get(n)::run).as("call %d", n).isInstanceOf(RayClosedException.class);
        }
        batch.close();
        batch.delete();
        ray.close();
        assertThat(ref.stage().toCompletableFuture()).isCompletedExceptionally();
    }

    @Test
    void a_client_that_closes_leaves_the_owners_tasks_alone() {
        CountDownLatch goOn = new CountDownLatch(1);
        RayApi other = RayApi.connect(ray.storeName());
        Batch others = other.startBatch();
        others.task(() -> {
            goOn.await();
            return 1;
        }).remote();
        ObjectRef<Integer> ours = ray.task(() -> {
            goOn.await();
            return 2;
        }).remote();
        other.close();
        eventually("its batches are collected", () -> isCollected(others.id()));
        goOn.countDown();
        assertThat(ours.get()).isEqualTo(2);
        assertThatThrownBy(() -> others.task(TaskStoreTest::twice, 1).remote()).isInstanceOf(RayClosedException.class);
    }

    // ---- what cannot be done ------------------------------------------------------------------------------------------------

    static List<Integer> three() {
        return List.of(1, 2, 3);
    }

    @Test
    void a_wrong_number_of_results_fails_each_of_them_and_says_both_numbers() {
        try (Batch batch = ray.startBatch()) {
            for (ObjectRef<Integer> result : batch.task(TaskTrustTest::three).<Integer>remote(4)) {
                assertThatThrownBy(() -> result.get(SOON)).isInstanceOf(TaskException.class)
                        .hasMessageContaining("4 results").hasMessageContaining("3 elements");
            }
            for (ObjectRef<Integer> result : batch.task(TaskStoreTest::twice, 1).<Integer>remote(2)) {
                assertThatThrownBy(() -> result.get(SOON)).isInstanceOf(TaskException.class).hasMessageContaining("Integer");
            }
            RayFunc0<List<String>> one = () -> List.of("alone");
            assertThat(batch.task(one).<String>remote(1).get(0).get()).isEqualTo("alone");
            assertThat(batch.task(one).remote().get()).as("as it is").containsExactly("alone");
            RayFunc0<List<String>> nulls = () -> java.util.Arrays.asList("a", null);
            List<ObjectRef<String>> two = batch.task(nulls).remote(2);
            assertThat(two.get(0).get()).isEqualTo("a");
            assertThat(two.get(1).get()).isNull();
        }
    }

    @Test
    void what_can_never_run_is_refused_when_it_is_submitted() {
        reopen(config -> config.taskSlots(2));
        assertThatThrownBy(() -> ray.task(TaskStoreTest::twice, 1).cpus(3).remote())
                .isInstanceOf(InvalidArgumentException.class).hasMessageContaining("3").hasMessageContaining("2 slots");
        assertThat(ray.task(TaskStoreTest::twice, 1).cpus(2).remote().get()).isEqualTo(2);
        ActorHandle<Counter> actor = ray.actor(Counter::new).remote();
        assertThatThrownBy(() -> actor.task(Counter::incAndGet).cpus(3).remote()).isInstanceOf(InvalidArgumentException.class);
        assertThat(actor.task(Counter::incAndGet).cpus(2).remote().get()).isEqualTo(1);
        assertThatThrownBy(() -> ray.actor((RayFunc0<Counter>) null)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> actor.task((RayFunc1<Counter, Integer>) null)).isInstanceOf(InvalidArgumentException.class);
        ActorHandle<Counter> nobody = ray.actor(() -> (Counter) null).remote();
        assertThatThrownBy(() -> nobody.task(Counter::incAndGet).remote().get(SOON)).isInstanceOf(ActorDiedException.class);
    }

    @Test
    void an_ended_batch_takes_no_task_and_no_actor_from_outside_and_says_who_ended_it() {
        Batch batch = ray.startBatch(BatchOptions.builder().noCleanup().build());
        ActorHandle<Counter> actor = batch.actor(Counter::new).remote();
        actor.task(Counter::incAndGet).batch(batch).remote().get();
        TaskCaller<Integer> prepared = batch.task(TaskStoreTest::twice, 1);
        batch.end();
        for (Runnable late : List.<Runnable>of(prepared::remote, () -> batch.actor(Counter::new).remote(),
                () -> actor.task(Counter::incAndGet).batch(batch).remote(), () -> batch.task(TaskStoreTest::twice, 1).remote())) {
            assertThatThrownBy(late::run).isInstanceOf(BatchEndedException.class)
                    .hasMessageContaining(Thread.currentThread().getName());
        }
        batch.delete();
        for (Runnable late : List.<Runnable>of(prepared::remote, () -> batch.actor(Counter::new).remote())) {
            assertThatThrownBy(late::run).isInstanceOfAny(BatchEndedException.class, ObjectCollectedException.class);
        }
    }

    static final class Unwritable {
        final Thread thread = Thread.currentThread();
        final Unwritable itself = this;
        final Object lock = new Object();

        private Object writeReplace() {
            throw new IllegalStateException("not to be written");
        }
    }

    static final class Enormous extends RuntimeException {
        private static final long serialVersionUID = 1;
        final byte[] weight = new byte[20 << 20];

        Enormous() {
            super("x".repeat(1 << 20));
        }
    }

    private static int deeper(int n) {
        return deeper(n + 1) + 1;
    }

    @Test
    void whatever_a_task_throws_arrives_and_its_thread_goes_on() {
        reopen(config -> config.taskSlots(1));
        List<RayFunc0<Object>> tasks = List.of(
                () -> deeper(0),
                () -> {
                    throw new AssertionError("asserted");
                },
                () -> {
                    throw new OutOfMemoryError("made up");
                },
                () -> {
                    throw new LinkageError("made up");
                },
                () -> {
                    throw new Enormous();
                },
                () -> {
                    throw new InterruptedException("made up");
                },
                () -> {
                    throw new ThreadDeath();
                });
        List<Class<?>> types = List.of(StackOverflowError.class, AssertionError.class, OutOfMemoryError.class, LinkageError.class,
                Enormous.class, InterruptedException.class, ThreadDeath.class);
        try (Batch batch = ray.startBatch()) {
            for (int n = 0; n < tasks.size(); n++) {
                Class<?> type = types.get(n);
                ObjectRef<Object> failing = batch.task(tasks.get(n)).remote();
                assertThatThrownBy(() -> failing.get(SOON)).isInstanceOfSatisfying(TaskException.class, e -> {
                    assertThat(e.remoteStackTrace()).contains(type.getSimpleName());
                    assertThat(e.getCause()).satisfiesAnyOf(
                            cause -> assertThat(cause).isInstanceOf(type),
                            cause -> assertThat(((RemoteException) cause).className()).isEqualTo(type.getName()));
                });
                assertThat(batch.task(TaskStoreTest::twice, n).remote().get(SOON)).isEqualTo(2 * n);
            }
        }
    }

    @Test
    void what_cannot_be_written_fails_its_task_or_its_submission_and_names_the_class() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Object> result = batch.task(() -> (Object) new Unwritable()).remote();
            assertThatThrownBy(() -> result.get(SOON)).isInstanceOf(TaskException.class).hasMessageContaining("Unwritable");
            assertThatThrownBy(() -> batch.task((Object x) -> 1, (Object) new Unwritable()).remote())
                    .isInstanceOf(SerializationException.class).hasMessageContaining("Unwritable");
            assertThat(batch.task(TaskStoreTest::twice, 1).remote().get()).isEqualTo(2);
        }
    }

    @Test
    void a_result_for_which_there_is_no_room_fails_and_the_batch_goes_on() {
        Batch batch = ray.startBatch(BatchOptions.builder().maxBytes(1 << 20).build());
        ObjectRef<byte[]> large = batch.task(() -> new byte[2 << 20]).remote();
        assertThatThrownBy(() -> large.get(SOON)).isInstanceOf(RayException.class).isNotInstanceOf(GetTimeoutException.class)
                .hasMessageContaining("limit");
        ObjectRef<byte[]> never = batch.task(() -> new byte[100 << 20]).remote();
        assertThatThrownBy(() -> never.get(SOON)).isInstanceOf(RayException.class).isNotInstanceOf(GetTimeoutException.class);
        assertThat(batch.task(TaskStoreTest::twice, 1).remote().get()).isEqualTo(2);
        batch.close();
        ray.setCurrentBatch(0);
        ObjectRef<byte[]> tooLarge = ray.task(() -> new byte[100 << 20]).remote();
        assertThatThrownBy(() -> tooLarge.get(SOON)).isInstanceOf(RayException.class).isNotInstanceOf(GetTimeoutException.class);
    }

    // ---- threads ------------------------------------------------------------------------------------------------------------

    @Test
    void a_task_that_interrupts_itself_or_is_interrupted_late_does_not_hit_the_next_one() {
        reopen(config -> config.taskSlots(1));
        AtomicReference<Thread> worker = new AtomicReference<>();
        try (Batch batch = ray.startBatch()) {
            for (int n = 0; n < 50; n++) {
                ObjectRef<Boolean> interrupts = batch.task(() -> {
                    worker.set(Thread.currentThread());
                    Thread.currentThread().interrupt();
                    return true;
                }).remote();
                ObjectRef<Boolean> next = batch.task((Boolean before) -> Thread.currentThread().isInterrupted(), interrupts).remote();
                assertThat(next.get()).isFalse();
            }
            // what it waits for is not over before the wait is: a value that is there is given to an interrupted thread too
            CountDownLatch seen = new CountDownLatch(1);
            ObjectRef<Integer> waits = batch.task(() -> {
                Thread.currentThread().interrupt();
                return ray.get(ray.task(() -> {
                    seen.await();
                    return 4;
                }).remote());
            }).remote();
            assertThatThrownBy(() -> waits.get(SOON)).isInstanceOf(TaskException.class)
                    .hasCauseInstanceOf(RayInterruptedException.class);
            seen.countDown();
        }
    }

    @Test
    void cancelling_at_any_moment_never_hits_another_task() {
        reopen(config -> config.taskSlots(2));
        try (Batch batch = ray.startBatch()) {
            for (int n = 0; n < 300; n++) {
                ObjectRef<Integer> cancelled = batch.task(() -> {
                    for (int i = 0; i < 100; i++) {
                        Thread.onSpinWait();
                    }
                    return 1;
                }).remote();
                ObjectRef<Boolean> innocent = batch.task(() -> {
                    for (int i = 0; i < 100; i++) {
                        Thread.onSpinWait();
                    }
                    return Thread.currentThread().isInterrupted();
                }).remote();
                ray.cancel(cancelled);
                assertThat(innocent.get(SOON)).isFalse();
                try {
                    assertThat(cancelled.get(SOON)).isEqualTo(1);
                } catch (TaskCancelledException told) {
                    assertThat(told.cancelledBy()).contains(Thread.currentThread().getName());
                }
            }
        }
    }

    @Test
    void tasks_are_submitted_from_threads_of_any_kind_and_by_a_cleaner() {
        CountDownLatch submitted = new CountDownLatch(2);
        Queue<ObjectRef<Integer>> refs = new ConcurrentLinkedQueue<>();
        Runnable submit = () -> {
            refs.add(ray.task(TaskStoreTest::twice, 3).remote());
            submitted.countDown();
        };
        java.lang.ref.Cleaner cleaner = java.lang.ref.Cleaner.create();
        cleaner.register(new Object(), submit);
        CompletableFuture.runAsync(submit);
        eventually("the collector runs", () -> {
            System.gc();
            return submitted.getCount() == 0;
        });
        assertThat(ray.get(List.copyOf(refs))).containsExactly(6, 6);
    }

    @Test
    void no_thread_stays_after_close_and_none_of_the_users_task_classes_is_held() {
        for (int n = 0; n < 3; n++) {
            try (RayApi other = open(config -> config.taskSlots(4))) {
                List<ObjectRef<Integer>> refs = new ArrayList<>();
                for (int i = 0; i < 100; i++) {
                    refs.add(other.task(TaskStoreTest::twice, i).remote());
                }
                other.get(refs);
            }
        }
        ray.task(TaskStoreTest::twice, 1).remote().get();
        ray.close();
        eventually("workers and watches end", () -> threads("raybatch-worker").isEmpty() && threads("raybatch-watch").isEmpty());
    }

    private static List<String> threads(String prefix) {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).filter(name -> name.startsWith(prefix)).toList();
    }

    @Test
    void a_store_closed_by_one_of_its_tasks_closes() {
        CompletableFuture<String> said = new CompletableFuture<>();
        RayApi other = open(config -> config.interruptGrace(Duration.ofMillis(50)));
        other.task(() -> {
            other.close();
            said.complete("closed");
        }).remote();
        assertThat(said.orTimeout(SOON.toSeconds(), TimeUnit.SECONDS).join()).isEqualTo("closed");
        assertThatThrownBy(() -> other.task(TaskStoreTest::twice, 1).remote()).isInstanceOf(RayClosedException.class);
    }

    @Test
    void closing_with_tasks_that_run_and_wait_tells_those_who_wait() {
        RayApi other = open(config -> config.interruptGrace(Duration.ofMillis(50)).taskSlots(2));
        CountDownLatch runs = new CountDownLatch(1);
        CountDownLatch never = new CountDownLatch(1);
        ObjectRef<Integer> running = other.task(() -> {
            runs.countDown();
            never.await();
            return 1;
        }).remote();
        ObjectRef<Integer> waiting = other.task(TaskStoreTest::twice, running).remote();
        ObjectRef<Integer> blockedInATask = other.task(() -> waiting.get()).remote();
        List<CompletableFuture<Integer>> gets = List.of(inThread(running::get), inThread(waiting::get), inThread(blockedInATask::get));
        CompletableFuture<Integer> stage = waiting.stage().toCompletableFuture();
        await(runs);
        other.close();
        for (CompletableFuture<Integer> get : gets) {
            assertThatThrownBy(() -> join(get)).isInstanceOfAny(RayClosedException.class, TaskCancelledException.class, TaskException.class);
        }
        assertThat(stage).failsWithin(SOON);
    }

    // ---- leaks --------------------------------------------------------------------------------------------------------------

    private final Queue<LeakReport> leaks = new ConcurrentLinkedQueue<>();

    private void leakStore() {
        reopen(config -> config.leakDetection(LeakLevel.SIMPLE).leakListener(leaks::add).taskSlots(2));
    }

    private long dropped(RayFunc0<Integer> task) {
        Batch batch = ray.startBatch(BatchOptions.builder().name("dropped").build());
        batch.task(task).remote();
        long id = batch.id();
        ray.setCurrentBatch(0);
        return id;
    }

    @Test
    void a_batch_whose_handle_is_dropped_is_collected_and_reported_only_after_its_tasks() {
        leakStore();
        CountDownLatch goOn = new CountDownLatch(1);
        CountDownLatch runs = new CountDownLatch(1);
        long id = dropped(() -> {
            runs.countDown();
            goOn.await();
            return 1;
        });
        await(runs);
        for (int n = 0; n < 5; n++) {
            System.gc();
            sleep(A_MOMENT);
        }
        assertThat(ray.status(id).state().isOpen()).as("a task of it runs").isTrue();
        assertThat(leaks).isEmpty();
        goOn.countDown();
        eventually("it is collected", () -> {
            System.gc();
            return isCollected(id);
        });
        eventually("and reported", () -> !leaks.isEmpty());
        assertThat(leaks.peek().batchId()).isEqualTo(id);
    }

    private long droppedWithItsActor() {
        Batch batch = ray.startBatch(BatchOptions.builder().name("dropped").build());
        ActorHandle<Counter> actor = batch.actor(Counter::new).remote();
        batch.task((ActorHandle<Counter> a) -> a.task(Counter::incAndGet).remote().get(), actor).remote().get();
        long id = batch.id();
        ray.setCurrentBatch(0);
        return id;
    }

    @Test
    void an_actors_handle_among_its_own_batchs_arguments_keeps_nothing_alive() {
        leakStore();
        long id = droppedWithItsActor();
        eventually("it is collected", () -> {
            System.gc();
            return isCollected(id);
        });
    }

    // ---- all at once --------------------------------------------------------------------------------------------------------

    @Test
    void threads_that_submit_get_cancel_and_end_at_random_leave_nothing_behind() throws Exception {
        reopen(config -> config.taskSlots(4).interruptGrace(Duration.ofMillis(20)).maxPendingTasks(500));
        ray.task(TaskStoreTest::twice, 1).remote().get();
        ActorHandle<SavedCounter> shared = ray.actor(SavedCounter::new).remote();
        shared.task(Counter::incAndGet).remote().get();
        AtomicInteger wrong = new AtomicInteger();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(2);
        List<CompletableFuture<Integer>> threads = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
            int seed = t;
            threads.add(inThread(() -> {
                Random random = new Random(seed);
                int rounds = 0;
                while (System.nanoTime() < end) {
                    oneBatch(random, shared, wrong);
                    rounds++;
                }
                return rounds;
            }));
        }
        int rounds = 0;
        for (CompletableFuture<Integer> thread : threads) {
            rounds += thread.get(50, TimeUnit.SECONDS);
        }
        assertThat(rounds).isPositive();
        assertThat(wrong).hasValue(0);
        eventually("all batches are collected", () -> ray.batches().isEmpty());
        ray.kill(shared, true);
        eventually("nothing of normal mode's is left but results", () -> ray.list().stream().allMatch(o -> o.id().batch() == 0));
        ray.delete(ray.list().stream().map(ObjectInfo::id).toArray(ObjectId[]::new));
        assertThat(ray.stats().live()).isZero();
        ray.internal().audit();
        assertThat(ray.task(TaskStoreTest::twice, 4).remote().get()).isEqualTo(8);
        Map<Boolean, Long> heldRecords = ray.batches().stream().collect(Collectors.partitioningBy(
                status -> status.recordsHeld().isEmpty(), Collectors.counting()));
        assertThat(heldRecords.get(false)).isZero();
    }

    /** One batch with a few tasks, of which some are cancelled, fail, or are never asked for; right values or typed exceptions only. */
    private void oneBatch(Random random, ActorHandle<? extends Counter> shared, AtomicInteger wrong) {
        Batch batch = ray.startBatch(BatchOptions.builder().build());
        try {
            List<ObjectRef<Integer>> refs = new ArrayList<>();
            List<Integer> expected = new ArrayList<>();
            for (int n = random.nextInt(20); n >= 0; n--) {
                int x = random.nextInt(100);
                switch (random.nextInt(6)) {
                    case 0 -> {
                        refs.add(batch.task(() -> {
                            Thread.sleep(random.nextInt(3));
                            return 2 * x;
                        }).remote());
                        expected.add(2 * x);
                    }
                    case 1 -> {
                        refs.add(batch.task(() -> ray.task(TaskStoreTest::twice, x).remote().get()).remote());
                        expected.add(2 * x);
                    }
                    case 2 -> {
                        if (refs.isEmpty() || expected.get(0) == null) {
                            continue;
                        }
                        refs.add(batch.task(TaskStoreTest::twice, refs.get(0)).remote());
                        expected.add(2 * expected.get(0));
                    }
                    case 3 -> shared.task(Counter::incAndGet).batch(batch).remote();
                    case 4 -> {
                        if (!refs.isEmpty()) {
                            ray.cancel(refs.get(random.nextInt(refs.size())));
                        }
                    }
                    default -> {
                        refs.add(batch.task(TaskStoreTest::twice, x).remote());
                        expected.add(2 * x);
                    }
                }
            }
            for (int n = 0; n < refs.size(); n++) {
                if (random.nextInt(3) == 0) {
                    continue;
                }
                try {
                    if (!refs.get(n).get(SOON).equals(expected.get(n))) {
                        wrong.incrementAndGet();
                    }
                } catch (TaskCancelledException cancelled) {
                    // as it may be
                }
                if (random.nextInt(8) == 0) {
                    ray.free(refs.get(n));
                }
            }
            switch (random.nextInt(4)) {
                case 0 -> ray.cancel(batch);
                case 1 -> ray.endBatchAsync(batch.id(), true);
                case 2 -> batch.delete();
                default -> ray.endBatch(batch.id(), true);
            }
        } finally {
            batch.close();
            ray.setCurrentBatch(0);
        }
    }
}
