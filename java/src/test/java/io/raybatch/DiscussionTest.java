package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every example of the discussion, as it was written there, as far as Java lets it. Where one slept, these wait for each other. */
@SuppressWarnings("try") // a batch is named to be closed
class DiscussionTest extends TaskStoreTest {

    private static final CheckpointPolicy NEVER = CheckpointPolicy.never();

    static int f() {
        return 1;
    }

    static int fun1() {
        return 1;
    }

    static int fun2(int a) {
        return 2 * a;
    }

    static int fun3(int c) {
        return 3 * c;
    }

    // ---- "results = ray.get([f.remote() for i in range(4)])" -----------------------------------------------------------

    @Test
    void scenario_1_normal_mode() {
        List<ObjectRef<Integer>> refs = IntStream.range(0, 4).mapToObj(i -> ray.task(DiscussionTest::f).remote()).toList();
        assertThat(ray.get(refs)).containsExactly(1, 1, 1, 1);
        assertThat(refs).allMatch(ref -> ref.batchId() == 0);
        ray.delete(refs);
    }

    @Test
    void scenario_2_batch_mode() {
        long batchId = ray.startBatch().id();
        List<ObjectRef<Integer>> refs = IntStream.range(0, 4).mapToObj(i -> ray.task(DiscussionTest::f).remote()).toList();
        assertThat(ray.get(refs)).containsExactly(1, 1, 1, 1);
        assertThat(ray.endBatch(batchId, true).objects()).isEqualTo(4);
        assertThat(ray.stats().live()).isZero();
        assertThatThrownBy(refs.get(0)::get).isInstanceOf(ObjectCollectedException.class);
    }

    @Test
    void a_job_is_ended_and_collected_by_its_id() {
        long jobId = 4711;
        ray.startBatch(jobId);
        ObjectRef<Integer> result = ray.task(DiscussionTest::f).remote();
        ray.endBatch(jobId);
        assertThat(result.get()).as("ended, not collected").isEqualTo(1);
        assertThat(ray.gc(jobId).objects()).isEqualTo(1);
        assertThatThrownBy(result::get).isInstanceOf(ObjectCollectedException.class).hasMessageContaining("4711");
    }

    // ---- "batch.end([z])  # change ownership of z to parent batch" ------------------------------------------------------

    @Test
    void end_with_z_cleans_up_y_but_neither_z_nor_x() {
        ObjectRef<Integer> x = ray.task(DiscussionTest::fun1).remote();
        Batch batch = ray.startBatch();
        ObjectRef<Integer> y = ray.task(DiscussionTest::fun2, x).remote();
        ObjectRef<Integer> z = ray.task(DiscussionTest::fun3, y).remote();
        assertThat(ray.get(List.of(x, y, z))).as("nothing is collected before").containsExactly(1, 2, 6);
        assertThat(ray.endBatch(batch.id(), z).objects()).isEqualTo(1);
        assertThat(x.get()).isEqualTo(1);
        assertThat(z.get()).isEqualTo(6);
        assertThatThrownBy(y::get).isInstanceOf(ObjectCollectedException.class);
        assertThat(ray.contains(y)).isFalse();
    }

    @Test
    void z_may_be_kept_before_it_is_there_and_used_before_the_batch_ends() {
        CountDownLatch begin = new CountDownLatch(1);
        ObjectRef<Integer> y;
        ObjectRef<Integer> z;
        try (Batch outer = ray.startBatch()) {
            try (Batch batch = ray.startBatch()) {
                y = ray.task(() -> {
                    begin.await();
                    return 2;
                }).remote();
                z = ray.task(DiscussionTest::fun3, y).remote();
                batch.keep(z);
                assertThat(ray.contains(z)).isFalse();
                begin.countDown();
                assertThat(z.get()).isEqualTo(6);
            }
            assertThat(z.get()).isEqualTo(6);
            ObjectRef<Integer> gone = y;
            assertThatThrownBy(gone::get).isInstanceOf(ObjectCollectedException.class);
            assertThat(outer.status().adopted()).isEqualTo(1);
        }
    }

    @Test
    void nested_what_the_inner_batch_returns_the_outer_one_frees() {
        ObjectRef<Integer> x;
        ObjectRef<Integer> y;
        ObjectRef<Integer> z;
        try (Batch outer = ray.startBatch()) {
            x = ray.task(DiscussionTest::fun1).remote();
            try (Batch inner = ray.startBatch()) {
                y = ray.task(DiscussionTest::fun2, x).remote();
                z = ray.task(DiscussionTest::fun3, y).remote();
                inner.keep(z); // move z to outer's scope
            }
            // inner done: z is in outer's scope
            assertThat(z.get()).isEqualTo(6);
            assertThat(x.get()).isEqualTo(1);
            ObjectRef<Integer> inners = y;
            assertThatThrownBy(inners::get).isInstanceOf(ObjectCollectedException.class);
            assertThat(ray.task(DiscussionTest::fun2, z).remote().get()).as("as an argument").isEqualTo(12);
            assertThat(outer.status().objects()).isEqualTo(3);
        }
        ObjectRef<Integer> last = z;
        assertThatThrownBy(last::get).isInstanceOf(ObjectCollectedException.class);
        assertThat(ray.stats().live()).isZero();
    }

    // ---- sync and async --------------------------------------------------------------------------------------------

    @Test
    void sync_what_follows_the_block_is_submitted_after_the_blocks_last_task() {
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        try (Batch mybatch = ray.startBatch()) {
            ObjectRef<Integer> a = ray.task(DiscussionTest::fun1).remote();
            ObjectRef<Integer> b = ray.task(DiscussionTest::fun1).remote();
            ray.task((Integer x, Integer y) -> order.add("f3"), a, b).remote();
        }
        ray.task(() -> order.add("fun4")).remote().get();
        assertThat(order).containsExactly("f3", "fun4");
    }

    @Test
    void async_the_body_goes_on_while_the_batchs_tasks_run() {
        CountDownLatch f3MayEnd = new CountDownLatch(1);
        Batch mybatch = ray.startBatch(1);
        ObjectRef<Integer> a = ray.task(DiscussionTest::fun1).remote();
        ObjectRef<Integer> b = ray.task(DiscussionTest::fun1).remote();
        ObjectRef<Integer> c = ray.task((Integer x, Integer y) -> {
            f3MayEnd.await();
            return x + y;
        }, a, b).remote();
        CompletableFuture<GcResult> ended = ray.endBatchAsync(mybatch.id(), true).toCompletableFuture();
        assertThat(ray.currentBatch()).as("it is over for the body").isZero();
        assertThat(ray.task(DiscussionTest::fun2, 4).remote().get()).as("fun4").isEqualTo(8);
        assertThat(ended).isNotDone();
        assertThat(mybatch.status().state()).isEqualTo(BatchState.ENDED);
        f3MayEnd.countDown();
        assertThat(join(ended).objects()).isEqualTo(3);
        assertThatThrownBy(c::get).isInstanceOf(ObjectCollectedException.class);
    }

    @Test
    void two_batches_run_in_parallel() {
        reopen(config -> config.taskSlots(2));
        CyclicBarrier both = new CyclicBarrier(2);
        RayFunc0<Integer> f = () -> {
            await(both);
            return 1;
        };
        Batch b1 = ray.startBatch(1);
        ObjectRef<Integer> result1 = ray.task(f).remote();
        CompletionStage<GcResult> end1 = ray.endBatchAsync(b1.id(), result1);
        Batch b2 = ray.startBatch(2);
        ObjectRef<Integer> result2 = ray.task(f).remote();
        CompletionStage<GcResult> end2 = ray.endBatchAsync(b2.id(), result2);
        assertThat(ray.get(List.of(result1, result2))).containsExactly(1, 1);
        join(end1.toCompletableFuture());
        join(end2.toCompletableFuture());
        assertThat(List.of(isCollected(b1.id()), isCollected(b2.id()))).containsOnly(true);
        assertThat(ray.get(List.of(result1, result2))).containsExactly(1, 1);
    }

    // ---- "static def new_batch_id() …" ------------------------------------------------------------------------------

    @Test
    void the_developer_api_is_what_the_users_api_is_made_of() {
        Batch outer = ray.startBatch();
        CountDownLatch begin = new CountDownLatch(1);
        ObjectRef<Integer> other;
        ObjectRef<Integer> result;
        long prevId = ray.currentBatch();
        long newId = ray.newBatchId();
        try {
            ray.setCurrentBatch(newId);
            other = ray.task(() -> {
                begin.await();
                return 4;
            }).remote();
            result = ray.task(DiscussionTest::fun2, other).remote();
            ray.transferOwnership(result, prevId);
            begin.countDown();
        } finally {
            ray.setCurrentBatch(prevId);
            ray.destroyBatch(newId);
        }
        assertThat(ray.currentBatch()).isEqualTo(outer.id());
        assertThat(result.get()).isEqualTo(8);
        ObjectRef<Integer> gone = other;
        assertThatThrownBy(gone::get).isInstanceOf(ObjectCollectedException.class);
        outer.close();
        assertThatThrownBy(result::get).isInstanceOf(ObjectCollectedException.class);
    }

    @Test
    void without_cleanup_nothing_goes_until_delete_which_takes_what_was_returned_too() {
        Batch batch = ray.startBatch(BatchOptions.builder().noCleanup().build());
        ObjectRef<Integer> result = ray.task(DiscussionTest::f).remote();
        ObjectRef<Integer> other = ray.task(DiscussionTest::fun2, result).remote();
        batch.keep(result);
        batch.close();
        assertThat(ray.get(List.of(result, other))).containsExactly(1, 2);
        batch.delete();
        assertThatThrownBy(other::get).isInstanceOf(ObjectCollectedException.class);
        assertThatThrownBy(() -> result.get(SOON)).isInstanceOf(RayException.class);
        assertThat(ray.stats().live()).isZero();
    }

    // ---- the counter that two batches use in turns ----------------------------------------------------------------------

    /** {@code batch_func}: its sleeps are meetings with the other one, so that turns alternate. Returns what it got. */
    private List<Integer> batchFunc(ActorHandle<? extends Counter> counter, int mine, CyclicBarrier turn, List<Integer> printed) {
        List<Integer> results = new ArrayList<>();
        try (Batch b = ray.startBatch(mine)) {
            for (int turns = 0; turns < 6; turns++) {
                if (turns % 2 == mine % 2) {
                    ObjectRef<Integer> r = counter.task(Counter::incAndGet).remote();
                    ray.task((Integer x) -> {
                        printed.add(x);
                    }, r).remote();
                    results.add(r.get());
                }
                await(turn);
            }
        }
        return results;
    }

    /** Both batches, as tasks; then both are collected. */
    private void interleave(ActorHandle<? extends Counter> counter) {
        CyclicBarrier turn = new CyclicBarrier(2);
        List<Integer> printed = Collections.synchronizedList(new ArrayList<>());
        ObjectRef<List<Integer>> one = ray.task(() -> batchFunc(counter, 2, turn, printed)).name("batch 1").remote();
        ObjectRef<List<Integer>> two = ray.task(() -> batchFunc(counter, 3, turn, printed)).name("batch 2").remote();
        assertThat(ray.get(List.of(one, two))).containsExactly(List.of(1, 3, 5), List.of(2, 4, 6));
        assertThat(printed).containsExactlyInAnyOrder(1, 2, 3, 4, 5, 6);
        assertThat(List.of(isCollected(2), isCollected(3))).containsOnly(true);
        ray.delete(one, two);
    }

    @Test
    void interleaved_a_counter_killed_afterwards_has_the_right_count_by_running_both_batches_turns_again() {
        reopen(config -> config.taskSlots(4));
        ActorHandle<Counter> counter = ray.actor(Counter::new).name("g_counter").faultTolerant(true).remote();
        interleave(counter);
        for (long batch : new long[] {2, 3}) {
            assertThat(ray.status(batch).recordsHeld())
                    .as("the turns of batch %d may have to be run again", batch)
                    .isNotEmpty()
                    .anySatisfy(held -> assertThat(held.actor()).hasValueSatisfying(a -> assertThat(a).contains("g_counter")));
        }
        ray.kill(counter);
        assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(7);
        ray.kill(counter, true);
        for (long batch : new long[] {2, 3}) {
            eventually("with the actor go the records of batch " + batch, () -> ray.status(batch).recordsHeld().isEmpty());
        }
    }

    @Test
    void interleaved_a_counter_killed_afterwards_has_the_right_count_from_its_checkpoint() {
        reopen(config -> config.taskSlots(4));
        ActorHandle<SavedCounter> counter = ray.actor(SavedCounter::new).checkpoints(NEVER).remote();
        interleave(counter);
        assertThat(ray.status(2).recordsHeld()).isNotEmpty();
        ray.checkpoint(counter).get();
        for (long batch : new long[] {2, 3}) {
            eventually("a checkpoint lets batch " + batch + " go", () -> ray.status(batch).recordsHeld().isEmpty());
        }
        ray.kill(counter);
        assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(7);
    }

    @ParameterizedTest
    @ValueSource(strings = {"at boundaries", "at transitions", "every 2 tasks", "balanced"})
    void interleaved_each_policy_rebuilds_the_right_count(String policy) {
        reopen(config -> config.taskSlots(4));
        ActorHandle<SavedCounter> counter = ray.actor(SavedCounter::new).checkpoints(policyOf(policy)).remote();
        interleave(counter);
        ray.kill(counter);
        assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(7);
    }

    private static CheckpointPolicy policyOf(String name) {
        return Stream.of(CheckpointPolicy.atBoundaries(), CheckpointPolicy.atTransitions(), CheckpointPolicy.every(2),
                CheckpointPolicy.balanced()).filter(policy -> policy.toString().equals(name)).findFirst().orElseThrow();
    }

    @Test
    void interleaved_a_result_of_the_batch_that_goes_on_is_made_again_after_the_other_was_collected() {
        ActorHandle<Counter> counter = ray.actor(Counter::new).faultTolerant(true).remote();
        Batch b1 = ray.startBatch(21);
        Batch b2 = ray.startBatch(22);
        List<ObjectRef<Integer>> ones = new ArrayList<>();
        List<ObjectRef<Integer>> twos = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            ray.setCurrentBatch(21);
            ones.add(counter.task(Counter::incAndGet).remote());
            ray.setCurrentBatch(22);
            twos.add(counter.task(Counter::incAndGet).remote());
        }
        assertThat(ray.get(twos)).containsExactly(2, 4, 6);
        b1.close();
        assertThatThrownBy(ones.get(0)::get).isInstanceOf(ObjectCollectedException.class);
        assertThat(ray.status(21).recordsHeld()).isNotEmpty().anyMatch(held -> held.batchId() == 22 && held.live());
        ray.free(twos.get(1)); // T2.2 is to be run again: it needs T1.1, T2.1 and T1.2 before it
        assertThat(twos.get(1).get()).isEqualTo(4);
        ray.kill(counter); // Actor 2 is not on the boundary of batch 1 when batch 1 finishes
        assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(7);
        assertThatThrownBy(ones.get(0)::get).as("what was made again is nobody's").isInstanceOf(ObjectCollectedException.class);
        b2.close();
        ray.kill(counter, true);
        eventually("a cycle of batches that are over goes", () -> ray.status(21).recordsHeld().isEmpty()
                && ray.status(22).recordsHeld().isEmpty());
    }

    @Test
    void batches_that_used_each_others_results_go_when_both_are_done() {
        Batch b1 = ray.startBatch(31);
        ObjectRef<Integer> x1 = b1.task(DiscussionTest::fun1).remote();
        Batch b2 = ray.startBatch(32);
        ObjectRef<Integer> x2 = b2.task(DiscussionTest::fun2, x1).remote();
        ObjectRef<Integer> y1 = b1.task(DiscussionTest::fun2, x2).remote();
        assertThat(y1.get()).isEqualTo(4);
        b1.close();
        assertThat(ray.status(31).recordsHeld()).isNotEmpty().allMatch(held -> held.batchId() == 32 && held.live()
                && held.actor().isEmpty());
        ray.free(x2);
        assertThat(x2.get()).as("made of an object of a batch that is collected").isEqualTo(2);
        assertThatThrownBy(x1::get).isInstanceOf(ObjectCollectedException.class);
        b2.close();
        // the value is there before its maker's run is over
        ActorTest.until("the records go", () -> ray.status(31).recordsHeld().isEmpty() && ray.status(32).recordsHeld().isEmpty());
        ActorTest.until("nothing is left", () -> ray.stats().live() == 0);
    }

    // ---- the stack of batches -----------------------------------------------------------------------------------------

    @Test
    void a_stack_of_batches_goes_with_one_checkpoint_at_the_end() {
        ActorHandle<SavedCounter> a = ray.actor(SavedCounter::new).name("A").checkpoints(NEVER).remote();
        Deque<Batch> batchStack = new ArrayDeque<>();
        for (long t = 1; t <= 5; t++) {
            batchStack.push(ray.startBatch(t));
            ray.task(DiscussionTest::fun2, a.task(Counter::incAndGet).remote()).remote();
        }
        // checkpoint and clean up
        ray.destroyBatch(batchStack.pop().id(), true);
        while (!batchStack.isEmpty()) {
            ray.destroyBatch(batchStack.pop().id(), false);
        }
        for (long t = 1; t <= 5; t++) {
            assertThat(ray.status(t).recordsHeld()).as("batch %d", t).isEmpty();
            assertThat(isCollected(t)).isTrue();
        }
        assertThat(a.task(Counter::incAndGet).remote().get()).as("A lives").isEqualTo(6);
        ray.kill(a);
        assertThat(a.task(Counter::incAndGet).remote().get()).as("A is rebuilt").isEqualTo(7);
    }

    @Test
    void a_stack_of_batches_without_a_checkpoint_waits_for_one() {
        ActorHandle<SavedCounter> a = ray.actor(SavedCounter::new).name("A").checkpoints(NEVER).remote();
        for (long t = 1; t <= 5; t++) {
            ray.startBatch(t);
            a.task(Counter::incAndGet).remote();
        }
        for (long t = 5; t >= 1; t--) {
            ray.destroyBatch(t, false);
        }
        for (long t = 1; t <= 5; t++) {
            assertThat(ray.status(t).recordsHeld()).as("batch %d", t).isNotEmpty();
        }
        ray.checkpoint(a).get();
        for (long t = 1; t <= 5; t++) {
            long batch = t;
            eventually("batch " + t + " goes", () -> ray.status(batch).recordsHeld().isEmpty());
        }
        ray.kill(a);
        assertThat(a.task(Counter::incAndGet).remote().get()).isEqualTo(6);
    }

    // ---- streaming: begun by the driver, ended in a later stage of another actor -------------------------------------------

    static final class Parse {
        private final ActorHandle<Emit> next;

        Parse(ActorHandle<Emit> next) {
            this.next = next;
        }

        void message(String text) {
            next.task(Emit::number, Integer.parseInt(text)).remote();
        }
    }

    static final class Emit {
        private int total;

        void number(int n) {
            total += n;
            // the result goes to a service elsewhere, and nothing is left to be done for this message
            Ray.endBatch(Ray.currentBatch(), true);
        }

        int total() {
            return total;
        }
    }

    @Test
    void streaming_a_batch_is_ended_by_a_task_of_a_later_stage() {
        ray.close();
        Ray.init(RayConfig.builder().storeSize("64m").build());
        try {
            ray = Ray.instance();
            ActorHandle<Emit> emit = Ray.actor(Emit::new).remote();
            ActorHandle<Parse> parse = Ray.actor(Parse::new, emit).remote();
            List<Long> messages = new ArrayList<>();
            for (int n = 1; n <= 10; n++) {
                Batch message = Ray.startBatch(100 + n);
                parse.task(Parse::message, "" + n).remote();
                messages.add(message.id());
                Ray.setCurrentBatch(0);
            }
            for (long message : messages) {
                eventually("message " + message + " is collected", () -> isCollected(message));
                assertThat(Ray.status(message).endedBy()).hasValueSatisfying(who -> assertThat(who).contains("worker"));
                assertThatThrownBy(() -> Ray.endBatch(message)).isInstanceOf(RayException.class).hasMessageContaining("worker");
            }
            assertThat(emit.task(Emit::total).remote().get()).isEqualTo(55);
        } finally {
            Ray.shutdown();
        }
    }

    @Test
    void a_batch_completes_after_the_tasks_that_its_tasks_emit() {
        ActorHandle<Counter> a = ray.actor(Counter::new).faultTolerant(true).remote();
        CountDownLatch begin = new CountDownLatch(1);
        RayVoidFunc1<ActorHandle<Counter>> child = actor -> {
            begin.await();
            actor.task(Counter::incAndGet).remote();
        };
        RayVoidFunc1<ActorHandle<Counter>> parent = actor -> {
            ray.task(child, actor).remote();
        };
        Batch batch = ray.startBatch(1);
        ray.task(parent, a).remote();
        CompletableFuture<GcResult> ended = ray.endBatchAsync(batch.id(), true).toCompletableFuture();
        assertThat(ended).isNotDone();
        begin.countDown();
        join(ended);
        assertThat(batch.status().tasks().done()).isEqualTo(3);
        assertThat(a.task(Counter::get).remote().get()).isEqualTo(1);
    }

    // ---- "checkpointing the actors at the beginning of the batch … to enable rollback" -----------------------------------------

    @Test
    void an_iteration_is_rolled_back_to_what_its_actor_was_at_its_beginning() {
        ActorHandle<SavedCounter> model = ray.actor(SavedCounter::new).checkpoints(NEVER).remote();
        for (int iteration = 1; iteration <= 3; iteration++) {
            try (Batch batch = ray.startBatch(BatchOptions.builder().checkpointActors(true).build())) {
                for (int step = 0; step < 10; step++) {
                    model.task(Counter::incAndGet).remote();
                }
            }
        }
        assertThat(model.task(Counter::get).remote().get()).isEqualTo(30);
        try (Batch failing = ray.startBatch(BatchOptions.builder().checkpointActors(true).build())) {
            ObjectRef<Integer> last = model.task(Counter::add, 1000).remote();
            assertThat(last.get()).isEqualTo(1030);
            ray.rollback(failing);
            assertThat(model.task(Counter::get).remote().get()).isEqualTo(30);
        }
        assertThat(model.task(Counter::incAndGet).remote().get()).isEqualTo(31);
    }

    // ---- the low-level API: free, checkpoint, fault tolerance, cancel --------------------------------------------------------

    @Test
    void free_is_a_hint_what_was_freed_is_made_again() {
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Integer> x = ray.task(DiscussionTest::fun1).remote();
            ObjectRef<Integer> y = ray.task(DiscussionTest::fun2, x).remote();
            assertThat(y.get()).isEqualTo(2);
            assertThat(ray.free(x, y)).isEqualTo(2);
            assertThat(ray.contains(x)).isFalse();
            assertThat(y.get()).isEqualTo(2);
        }
    }

    @Test
    void without_fault_tolerance_an_actor_that_fails_is_an_exception_which_the_program_may_ignore() {
        ActorHandle<Counter> counter = ray.actor(Counter::new).name("worker 3").faultTolerant(false).remote();
        assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(1);
        ray.kill(counter);
        assertThatThrownBy(() -> counter.task(Counter::incAndGet).remote().get())
                .isInstanceOf(ActorDiedException.class)
                .hasMessageContaining("worker 3")
                .hasMessageContaining("not fault tolerant");
    }

    @Test
    void cancel_is_what_expiration_and_stragglers_need() {
        CountDownLatch never = new CountDownLatch(1);
        CountDownLatch runs = new CountDownLatch(1);
        RayFunc0<Integer> straggler = () -> {
            runs.countDown();
            never.await();
            return 1;
        };
        try (Batch batch = ray.startBatch()) {
            ObjectRef<Integer> slow = batch.task(straggler).remote();
            await(runs);
            assertThat(ray.cancel(slow)).isTrue();
            assertThatThrownBy(slow::get).isInstanceOf(TaskCancelledException.class)
                    .hasMessageContaining(Thread.currentThread().getName());
        }
        Batch expires = ray.startBatch(BatchOptions.builder().timeout(Duration.ofMillis(100)).build());
        ObjectRef<Integer> expired = expires.task(straggler).remote();
        assertThatThrownBy(expired::get).isInstanceOf(RayException.class).hasMessageContaining("timed out");
        eventually("it is collected", () -> isCollected(expires.id()));
    }

    // ---- a queue: what one method made is collected after another one removed it ----------------------------------------------

    static final class Queue {
        private final Deque<Long> items = new ArrayDeque<>();

        void enqueue(RayApi ray, int n) {
            long item = ray.newBatchId();
            ray.setCurrentBatch(item);
            ray.put("item " + n);
            items.add(item);
        }

        long dequeue() {
            return items.remove();
        }
    }

    @Test
    void what_a_queue_holds_is_collected_when_it_was_removed() {
        RayApi here = ray;
        ActorHandle<Queue> queue = ray.actor(Queue::new).faultTolerant(false).remote();
        for (int n = 0; n < 3; n++) {
            int item = n;
            queue.task((Queue q) -> q.enqueue(here, item)).remote().get();
        }
        long first = queue.task(Queue::dequeue).remote().get();
        assertThat(ray.list(first)).hasSize(1);
        ray.destroyBatch(first);
        assertThat(isCollected(first)).isTrue();
        long second = queue.task(Queue::dequeue).remote().get();
        assertThat(ray.list(second)).as("that of another item").hasSize(1);
        ray.destroyBatch(second);
    }
}
