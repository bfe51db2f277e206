package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** CONFORMANCE.md 31 and 35–39, as far as they are about tasks: what Ray's references and the discussion's batches are held to. */
class TaskConformanceTest extends TaskStoreTest {

    private static final Duration A_SHORT_GRACE = Duration.ofMillis(50);

    // ---- 31: references ---------------------------------------------------------------------------------------------

    @Test
    void c31_a_local_reference_stays_good_as_long_as_its_batch() {
        ObjectRef<Integer> local;
        try (Batch batch = ray.startBatch()) {
            local = batch.task(TaskStoreTest::twice, 4).remote();
            assertThat(local.get()).isEqualTo(8);
            assertThat(local.get()).as("again").isEqualTo(8);
            assertThat(ray.ref(local.id(), Integer.class).get()).as("by its id").isEqualTo(8);
        }
        assertThatThrownBy(local::get).isInstanceOf(ObjectCollectedException.class);
    }

    @Test
    void c31_a_dependency_is_waited_for_and_is_there_when_the_task_runs() {
        CountDownLatch begin = new CountDownLatch(1);
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Integer> first = batch.task(() -> {
                begin.await();
                return 1;
            }).remote();
            ObjectRef<Integer> second = batch.task(TaskStoreTest::sum, first, first).remote();
            ObjectRef<Integer> third = batch.task(TaskStoreTest::sum, second, first).remote();
            assertThat(batch.status().tasks().waiting()).isEqualTo(2);
            begin.countDown();
            assertThat(third.get()).isEqualTo(3);
        }
    }

    @Test
    void c31_a_failing_tasks_dependency_is_given_up_and_its_failure_handed_on() {
        AtomicInteger ran = new AtomicInteger();
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> dependency = batch.put(bytes(1, 1000));
            ObjectRef<Integer> failing = batch.task((byte[] x) -> {
                if (x.length > 0) {
                    throw new IllegalStateException("on purpose");
                }
                return x.length;
            }, dependency).remote();
            ObjectRef<Integer> dependent = batch.task((Integer x) -> ran.incrementAndGet(), failing).remote();
            ObjectRef<Integer> further = batch.task((Integer x) -> ran.incrementAndGet(), dependent).remote();
            assertThatThrownBy(further::get).isInstanceOfSatisfying(TaskException.class, e -> {
                assertThat(e).hasRootCauseMessage("on purpose").hasMessageContaining(further.toString());
                assertThat(e.objectId()).as("the one that failed first").contains(failing.id());
            });
            assertThatThrownBy(dependent::get).hasRootCauseMessage("on purpose");
            assertThat(ran).hasValue(0);
            assertThat(ray.list(batch.id())).allMatch(info -> info.references() == 0);
            assertThat(ray.delete(dependency)).as("nobody holds it").isEqualTo(1);
        }
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c31_a_pinned_object_stays_readable_though_its_batch_is_collected() {
        ObjectView pinned;
        try (Batch batch = ray.startBatch()) {
            ObjectRef<byte[]> made = batch.task((Integer n) -> bytes(n, 100_000), 3).remote();
            made.get();
            pinned = ray.read(made);
        }
        try (pinned) {
            byte[] read = new byte[100_000];
            pinned.copyTo(0, read, 0, read.length);
            assertThat(read).isEqualTo(bytes(3, 100_000));
        }
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c31_an_argument_of_a_pending_task_is_made_again_if_it_was_freed_meanwhile() {
        CountDownLatch begin = new CountDownLatch(1);
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Integer> argument = batch.task(TaskStoreTest::twice, 4).remote();
            assertThat(argument.get()).isEqualTo(8);
            ObjectRef<Integer> gate = batch.task(() -> {
                begin.await();
                return 1;
            }).remote();
            ObjectRef<Integer> pending = batch.task(TaskStoreTest::sum, argument, gate).remote();
            ray.free(argument);
            begin.countDown();
            assertThat(pending.get()).isEqualTo(9);
        }
    }

    /** What a task returns that keeps references to what it put and had made. */
    record Nested(ObjectId put, ObjectId made) {}

    private Nested nested(AtomicInteger runs, List<Nested> all) {
        int run = runs.incrementAndGet();
        ObjectRef<String> put = ray.put("put, run " + (run > 0));
        ObjectRef<Integer> made = ray.task(TaskStoreTest::twice, 21).remote();
        Nested result = new Nested(put.id(), made.id());
        all.add(result);
        return result;
    }

    @Test
    void c31_an_id_stored_inside_a_value_stays_true_when_its_task_is_run_again() {
        AtomicInteger runs = new AtomicInteger();
        List<Nested> all = new ArrayList<>();
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Nested> outer = batch.task(() -> nested(runs, all)).remote();
            Nested first = outer.get();
            ObjectRef<String> put = ray.ref(first.put(), String.class);
            ObjectRef<Integer> made = ray.ref(first.made(), Integer.class);
            assertThat(put.get()).isEqualTo("put, run true");
            assertThat(made.get()).isEqualTo(42);

            ray.free(outer, put, made);
            assertThat(outer.get()).as("a re-run has the same ids").isEqualTo(first);
            assertThat(runs).hasValue(2);
            assertThat(all.get(1)).isEqualTo(first);
            assertThat(put.get()).isEqualTo("put, run true");
            assertThat(made.get()).isEqualTo(42);

            ray.free(put);
            assertThat(ray.ref(first.put(), String.class).get()).as("its task is run again for it").isEqualTo("put, run true");
            assertThat(runs).hasValue(3);
        }
    }

    // ---- 35: who ends it ------------------------------------------------------------------------------------------------

    @Test
    void c35_a_task_may_end_its_own_batch_does_not_wait_for_itself_and_goes_on() {
        CountDownLatch goOn = new CountDownLatch(1);
        AtomicReference<ObjectRef<Integer>> sub = new AtomicReference<>();
        Batch batch = ray.startBatch(7);
        ObjectRef<Integer> ends = batch.task(() -> {
            GcResult none = ray.endBatch(7, true);
            assertThat(none.objects()).isZero();
            goOn.await();
            sub.set(ray.task(TaskStoreTest::twice, 3).remote());
            return sub.get().get() + ray.get(ray.put(1));
        }).name("the one that ends it").remote();
        eventually("it is ended", () -> ray.status(7).state() == BatchState.ENDED);
        assertThatThrownBy(() -> ray.endBatch(7))
                .isInstanceOf(BatchEndedException.class)
                .hasMessageContaining("worker");
        assertThatThrownBy(() -> batch.task(TaskStoreTest::twice, 1).remote()).isInstanceOf(BatchEndedException.class);
        assertThat(ray.contains(ends)).isFalse();
        goOn.countDown();
        eventually("collection follows the last task", () -> isCollected(7));
        assertThat(sub.get().batchId()).isEqualTo(7);
        assertThatThrownBy(ends::get).isInstanceOf(ObjectCollectedException.class);
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c35_of_several_tasks_that_end_it_one_is_first_and_the_others_hear_who() {
        CountDownLatch all = new CountDownLatch(4);
        reopen(config -> config.taskSlots(4));
        Batch batch = ray.startBatch(BatchOptions.builder().id(7).noCleanup().build());
        List<ObjectRef<String>> ends = new ArrayList<>();
        for (int n = 0; n < 4; n++) {
            ends.add(batch.task(() -> {
                all.countDown();
                all.await();
                try {
                    ray.endBatch(7);
                    return Thread.currentThread().getName();
                } catch (BatchEndedException second) {
                    return second.getMessage();
                }
            }).remote());
        }
        List<String> said = ray.get(ends);
        List<String> first = said.stream().filter(text -> text.matches("raybatch-worker-\\d+")).toList();
        assertThat(first).hasSize(1);
        assertThat(said).filteredOn(text -> !first.contains(text)).hasSize(3).allMatch(text -> text.contains(first.get(0)));
        assertThat(ray.status(7).endedBy()).contains(first.get(0));
        batch.delete();
    }

    @Test
    void c35_a_task_ends_another_batch_and_waits_for_that_ones_tasks() {
        CountDownLatch goOn = new CountDownLatch(1);
        Batch other = ray.startBatch(8);
        other.task(() -> {
            goOn.await();
            return 1;
        }).remote();
        ray.setCurrentBatch(0);
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Long> ended = batch.task(() -> ray.endBatch(8, true).objects()).remote();
            eventually("it is ended", () -> ray.status(8).state() == BatchState.ENDED);
            assertThat(ray.contains(ended)).isFalse();
            goOn.countDown();
            assertThat(ended.get()).isEqualTo(1);
        }
    }

    // ---- 36: an end with tasks still running ---------------------------------------------------------------------------------

    private int startsOthers(int depth, CountDownLatch begin) throws InterruptedException {
        begin.await();
        if (depth > 0) {
            ray.task(() -> startsOthers(depth - 1, begin)).remote();
            ray.task(() -> startsOthers(depth - 1, begin)).remote();
        }
        return depth;
    }

    @Test
    void c36_a_batch_completes_after_the_last_task_those_started_meanwhile_included() {
        CountDownLatch begin = new CountDownLatch(1);
        Batch batch = ray.startBatch(BatchOptions.builder().noCleanup().build());
        batch.task(() -> startsOthers(5, begin)).remote();
        CompletableFuture<GcResult> ended = batch.endAsync().toCompletableFuture();
        assertThat(batch.status().state()).isEqualTo(BatchState.ENDED);
        assertThat(ended).isNotDone();
        begin.countDown();
        join(ended);
        assertThat(batch.status().state()).isEqualTo(BatchState.COMPLETED);
        assertThat(batch.status().tasks().done()).isEqualTo(63);
        assertThat(batch.status().tasks().active()).isZero();
        assertThat(ray.gc(batch.id()).objects()).isEqualTo(63);
    }

    @Test
    void c36_an_end_waits_for_the_tasks_and_an_outer_one_for_those_of_inner_batches() {
        CountDownLatch goOn = new CountDownLatch(1);
        Batch outer = ray.startBatch();
        Batch inner = ray.startBatch();
        ObjectRef<Integer> running = inner.task(() -> {
            goOn.await();
            return 1;
        }).remote();
        assertThatThrownBy(() -> ray.gc(outer.id())).isInstanceOf(BatchActiveException.class);
        CompletableFuture<GcResult> ended = inThread(() -> ray.endBatch(outer.id(), true));
        eventually("both are ended", () -> inner.status().state() == BatchState.ENDED
                && outer.status().state() == BatchState.ENDED);
        assertThat(ended).isNotDone();
        assertThatThrownBy(() -> ray.gc(outer.id())).isInstanceOf(BatchActiveException.class);
        goOn.countDown();
        assertThat(join(ended).objects()).isEqualTo(1);
        assertThat(List.of(isCollected(inner.id()), isCollected(outer.id()))).containsOnly(true);
        assertThatThrownBy(running::get).isInstanceOf(ObjectCollectedException.class);
    }

    // ---- 37: timeout ----------------------------------------------------------------------------------------------------

    @Test
    void c37_a_timeout_cancels_what_runs_and_what_waits_fails_blocked_gets_and_releases_everything() {
        CountDownLatch runs = new CountDownLatch(1);
        CountDownLatch interrupted = new CountDownLatch(1);
        Batch batch = ray.startBatch(BatchOptions.builder().id(7).timeout(Duration.ofSeconds(2)).build());
        batch.put(bytes(1, 100_000));
        ObjectRef<Integer> running = batch.task(() -> {
            runs.countDown();
            try {
                new CountDownLatch(1).await();
            } catch (InterruptedException e) {
                interrupted.countDown();
                throw e;
            }
            return 1;
        }).remote();
        ObjectRef<Integer> waiting = batch.task(TaskStoreTest::twice, running).remote();
        CompletableFuture<Integer> blocked = inThread(running::get);
        CompletableFuture<Integer> blockedToo = inThread(waiting::get);
        for (CompletableFuture<Integer> get : List.of(blocked, blockedToo)) {
            assertThatThrownBy(() -> join(get)).isInstanceOf(RayException.class).hasMessageContaining("timed out");
        }
        await(interrupted);
        eventually("it is collected", () -> isCollected(7));
        BatchStatus status = ray.status(7);
        assertThat(status.reason()).contains(EndReason.TIMED_OUT);
        assertThat(status.abandonedThreads()).isEmpty();
        assertThatThrownBy(() -> batch.task(TaskStoreTest::twice, 1).remote()).isInstanceOf(BatchEndedException.class);
        assertThatThrownBy(() -> batch.put(1)).isInstanceOf(BatchEndedException.class).hasMessageContaining("timed out");
        assertThatThrownBy(running::get).isInstanceOf(BatchTimedOutException.class).hasMessageContaining("timed out");
        assertThat(ray.stats().live()).isZero();
    }

    @Test
    void c37_a_thread_that_ignores_interrupts_is_abandoned_and_never_waited_for() {
        reopen(config -> config.taskSlots(1).interruptGrace(A_SHORT_GRACE));
        CountDownLatch runs = new CountDownLatch(1);
        CountDownLatch letGo = new CountDownLatch(1);
        CompletableFuture<List<RayException>> itsLaterCalls = new CompletableFuture<>();
        AtomicReference<String> thread = new AtomicReference<>();
        ObjectRef<Integer> before = ray.put(1);
        Batch batch = ray.startBatch(BatchOptions.builder().id(7).timeout(Duration.ofSeconds(2)).build());
        ObjectRef<Integer> stubborn = batch.task(() -> {
            thread.set(Thread.currentThread().getName());
            runs.countDown();
            ignoringInterrupts(letGo);
            itsLaterCalls.complete(failuresOf(List.of(
                    () -> ray.put(1),
                    () -> before.get(),
                    () -> ray.get(List.of(before)),
                    () -> ray.wait(List.of(before), 1, SOON),
                    () -> ray.task(TaskStoreTest::twice, 1).remote(),
                    () -> ray.actor(Counter::new).remote(),
                    () -> ray.startBatch(),
                    () -> ray.create(10).close(),
                    () -> ray.endBatch(7))));
            return 1;
        }).remote();
        await(runs);
        ray.setCurrentBatch(0);
        assertThatThrownBy(stubborn::get).isInstanceOf(RayException.class).hasMessageContaining("timed out");
        eventually("the storage is released though the thread goes on", () -> isCollected(7));
        assertThat(letGo.getCount()).isEqualTo(1);
        batch.close();
        assertThat(ray.task(() -> Thread.currentThread().getName()).remote().get())
                .as("another takes its place").isNotEqualTo(thread.get());
        letGo.countDown();
        assertThat(join(itsLaterCalls)).hasSize(9).allSatisfy(e ->
                assertThat(e).isInstanceOf(BatchTimedOutException.class));
        assertThat(ray.task(TaskStoreTest::twice, 5).remote().get()).isEqualTo(10);
    }

    @Test
    void c37_status_names_the_thread_that_was_given_up() {
        reopen(config -> config.interruptGrace(A_SHORT_GRACE));
        CountDownLatch runs = new CountDownLatch(1);
        CountDownLatch letGo = new CountDownLatch(1);
        AtomicReference<String> thread = new AtomicReference<>();
        Batch batch = ray.startBatch();
        ObjectRef<Integer> stubborn = batch.task(() -> {
            thread.set(Thread.currentThread().getName());
            runs.countDown();
            ignoringInterrupts(letGo);
            return 1;
        }).remote();
        await(runs);
        assertThat(ray.cancel(stubborn)).isTrue();
        eventually("status names it", () -> batch.status().abandonedThreads().contains(thread.get()));
        assertThat(batch.status().tasks().cancelled()).isEqualTo(1);
        assertThat(letGo.getCount()).isEqualTo(1);
        batch.close();
        letGo.countDown();
    }

    private static List<RayException> failuresOf(List<Runnable> calls) {
        List<RayException> failures = new ArrayList<>();
        for (Runnable call : calls) {
            try {
                call.run();
            } catch (RayException e) {
                failures.add(e);
            }
        }
        return failures;
    }

    @Test
    void c37_closing_a_batch_or_the_store_is_not_held_up_by_a_thread_that_ignores_interrupts() {
        reopen(config -> config.taskSlots(2).interruptGrace(A_SHORT_GRACE));
        CountDownLatch letGo = new CountDownLatch(1);
        CountDownLatch run = new CountDownLatch(2);
        RayVoidFunc0 stubborn = () -> {
            run.countDown();
            ignoringInterrupts(letGo);
        };
        try {
            Batch cancelled = ray.startBatch();
            cancelled.task(stubborn).remote();
            ray.setCurrentBatch(0);
            ray.task(stubborn).remote();
            await(run);
            ray.cancel(cancelled);
            cancelled.close();
            assertThat(isCollected(cancelled.id())).isTrue();
            assertThat(letGo.getCount()).isEqualTo(1);
            ray.close();
            assertThat(letGo.getCount()).isEqualTo(1);
        } finally {
            letGo.countDown();
        }
    }

    // ---- 38: outer, inner and siblings --------------------------------------------------------------------------------------

    @Test
    void c38_an_inner_batchs_tasks_take_outer_objects_and_a_collected_siblings_fail() {
        try (Batch outer = ray.startBatch()) {
            ObjectRef<Integer> outers = outer.task(TaskStoreTest::twice, 1).remote();
            ObjectRef<Integer> siblings;
            try (Batch sibling = ray.startBatch()) {
                siblings = sibling.task(TaskStoreTest::twice, outers).remote();
            }
            try (Batch inner = ray.startBatch()) {
                assertThat(inner.task(TaskStoreTest::twice, outers).remote().get()).isEqualTo(4);
                ObjectRef<Integer> fails = submitted(inner, siblings);
                if (fails != null) {
                    assertThatThrownBy(fails::get).isInstanceOf(RayException.class)
                            .hasMessageContaining(siblings.toString());
                }
                assertThatThrownBy(siblings::get).isInstanceOf(ObjectCollectedException.class);
            }
        }
    }

    /** Null where that is refused at once. */
    private ObjectRef<Integer> submitted(Batch batch, ObjectRef<Integer> gone) {
        try {
            return batch.task(TaskStoreTest::twice, gone).remote();
        } catch (ObjectCollectedException refused) {
            return null;
        }
    }

    @Test
    void c38_a_siblings_object_is_good_until_that_is_collected_and_what_was_made_of_it_afterwards_too() {
        Batch one = ray.startBatch(31);
        Batch two = ray.startBatch(32);
        ObjectRef<Integer> ones = one.task(TaskStoreTest::twice, 1).remote();
        ObjectRef<Integer> twos = two.task(TaskStoreTest::twice, ones).remote();
        assertThat(twos.get()).isEqualTo(4);
        one.close();
        assertThat(twos.get()).isEqualTo(4);
        ray.free(twos);
        assertThat(twos.get()).as("its lineage goes through the sibling's").isEqualTo(4);
        assertThatThrownBy(ones::get).isInstanceOf(ObjectCollectedException.class);
        two.close();
        assertThat(ray.stats().live()).isZero();
    }

    // ---- 39: two batches on one actor ----------------------------------------------------------------------------------------

    @Test
    void c39_the_batch_that_was_used_waits_and_status_says_for_whom_through_what_since_when() {
        ActorHandle<Counter> actor = ray.actor(Counter::new).name("shared").faultTolerant(true).remote();
        Batch used = ray.startBatch(21);
        assertThat(actor.task(Counter::incAndGet).remote().get()).isEqualTo(1);
        Batch user = ray.startBatch(22);
        assertThat(actor.task(Counter::incAndGet).remote().get()).isEqualTo(2);
        used.close();
        assertThat(isCollected(21)).as("its objects go").isTrue();
        assertThat(ray.status(21).recordsHeld()).anySatisfy(held -> {
            assertThat(held.batchId()).isEqualTo(22);
            assertThat(held.live()).isTrue();
            assertThat(held.actor()).hasValueSatisfying(name -> assertThat(name).contains("shared"));
            assertThat(held.since()).isBetween(ray.status(22).started(), java.time.Instant.now());
        });
        user.close();
        ray.kill(actor, true);
        eventually("nobody needs them", () -> ray.status(21).recordsHeld().isEmpty()
                && ray.status(22).recordsHeld().isEmpty());
    }

    @Test
    void c39_a_checkpoint_between_them_lets_it_go() {
        ActorHandle<SavedCounter> actor = ray.actor(SavedCounter::new).checkpoints(CheckpointPolicy.never()).remote();
        Batch used = ray.startBatch(21);
        actor.task(Counter::incAndGet).remote();
        ray.checkpoint(actor).get();
        Batch user = ray.startBatch(22);
        assertThat(actor.task(Counter::incAndGet).remote().get()).isEqualTo(2);
        used.close();
        eventually("nobody needs it", () -> ray.status(21).recordsHeld().isEmpty());
        ray.kill(actor);
        assertThat(actor.task(Counter::incAndGet).remote().get()).isEqualTo(3);
        user.close();
    }

    @Test
    void c39_a_checkpoint_after_an_active_batchs_task_does_not_release_what_precedes_that() {
        ActorHandle<SavedCounter> actor = ray.actor(SavedCounter::new).checkpoints(CheckpointPolicy.never()).remote();
        Batch used = ray.startBatch(21);
        actor.task(Counter::incAndGet).remote();
        Batch user = ray.startBatch(22);
        ObjectRef<Integer> two = actor.task(Counter::incAndGet).remote();
        assertThat(two.get()).isEqualTo(2);
        used.close();
        ray.checkpoint(actor).get();
        assertThat(ray.status(21).recordsHeld()).as("to make two again it has to be run again").isNotEmpty();
        user.close();
        eventually("now nobody does", () -> ray.status(21).recordsHeld().isEmpty()
                && ray.status(22).recordsHeld().isEmpty());
    }

    @Test
    void c39_a_cycle_of_two_does_not_leak() {
        long before = ray.stats().used();
        ActorHandle<Counter> actor = ray.actor(Counter::new).remote();
        for (int round = 0; round < 20; round++) {
            long id = 100 + 2 * round;
            Batch one = ray.startBatch(BatchOptions.builder().id(id).build());
            Batch two = ray.startBatch(BatchOptions.builder().id(id + 1).build());
            ActorHandle<Counter> own = one.actor(Counter::new).faultTolerant(true).remote();
            for (int turn = 0; turn < 4; turn++) {
                ray.setCurrentBatch(id + turn % 2);
                own.task(Counter::incAndGet).remote();
            }
            one.close();
            two.close();
            assertThat(ray.status(id).recordsHeld()).isEmpty();
            assertThat(ray.status(id + 1).recordsHeld()).isEmpty();
        }
        ray.kill(actor, true);
        assertThat(ray.stats().live()).isZero();
        assertThat(before).isNotNegative();
    }
}
