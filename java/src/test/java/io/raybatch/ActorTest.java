package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Actors, as users write them. */
@Timeout(60)
class ActorTest extends StoreTest {

    private static final AtomicInteger MADE = new AtomicInteger();
    private static final AtomicInteger CALLS = new AtomicInteger();

    static class Counter {
        int count;

        Counter() {
            MADE.incrementAndGet();
        }

        Counter(int[] from) {
            this();
            count = from[0];
        }

        int incAndGet() {
            CALLS.incrementAndGet();
            return ++count;
        }

        int addAndGet(int n) {
            CALLS.incrementAndGet();
            return count += n;
        }

        int get() {
            return count;
        }

        void fail() {
            throw new IllegalStateException("cannot");
        }
    }

    static final class Saved extends Counter implements Checkpointable<Integer> {

        static final AtomicInteger SAVES = new AtomicInteger();
        static final AtomicInteger RESTORES = new AtomicInteger();

        Saved() {}

        Saved(int[] from) {
            super(from);
        }

        @Override
        public Integer save() {
            SAVES.incrementAndGet();
            return count;
        }

        @Override
        public void restore(Integer state) {
            RESTORES.incrementAndGet();
            count = state;
        }
    }

    @BeforeEach
    void nothingWasDone() {
        MADE.set(0);
        CALLS.set(0);
        Saved.SAVES.set(0);
        Saved.RESTORES.set(0);
    }

    static void until(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            assertThat(System.nanoTime()).as(what).isLessThan(end);
            LockSupport.parkNanos(1_000_000);
        }
    }

    @Test
    void an_actors_tasks_run_one_at_a_time_in_the_order_of_their_caller() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Counter> counter = b.actor(Counter::new).remote();
            List<ObjectRef<Integer>> counts = new ArrayList<>();
            for (int n = 0; n < 500; n++) {
                counts.add(counter.task(Counter::incAndGet).remote());
            }
            List<Integer> got = ray.get(counts);
            for (int n = 0; n < 500; n++) {
                assertThat(got.get(n)).isEqualTo(n + 1);
            }
            assertThat(MADE).hasValue(1);
            assertThat(counter.name()).isEqualTo("new ActorTest$Counter");
        }
    }

    @Test
    void it_is_made_with_arguments_and_takes_references() {
        try (Batch b = ray.startBatch()) {
            int[] from = {10};
            ActorHandle<Counter> counter = b.actor((int[] x) -> new Counter(x), from).name("ten").remote();
            from[0] = 99;
            ObjectRef<Integer> five = b.task(() -> 5).remote();
            assertThat(counter.task(Counter::addAndGet, five).remote().get()).isEqualTo(15);
            assertThat(counter.task(Counter::addAndGet, 1).remote().get()).isEqualTo(16);
            assertThat(counter.name()).isEqualTo("ten");
            assertThat(b.task((ActorHandle<Counter> c) -> c.task(Counter::incAndGet).remote().get(), counter).remote().get())
                    .isEqualTo(17);
        }
    }

    @Test
    void what_it_throws_arrives_and_it_lives_on() {
        ActorHandle<Counter> counter = ray.actor(() -> new Counter()).remote();
        assertThatThrownBy(() -> counter.task(Counter::fail).remote().get())
                .isInstanceOf(TaskException.class).hasRootCauseMessage("cannot");
        assertThat(counter.task(Counter::incAndGet).remote().get()).isEqualTo(1);
        ActorHandle<Counter> never = ray.actor(() -> ActorTest.<Counter>refuse()).remote();
        assertThatThrownBy(() -> never.task(Counter::incAndGet).remote().get()).isInstanceOf(ActorDiedException.class);
        until("dead", () -> {
            try {
                never.task(Counter::get).remote().get();
                return false;
            } catch (ActorDiedException e) {
                return true;
            }
        });
    }

    private static <T> T refuse() {
        throw new IllegalStateException("no");
    }

    @Test
    void a_killed_one_is_rebuilt_by_its_next_task_with_the_right_count() {
        ActorHandle<Counter> counter = ray.actor(() -> new Counter()).faultTolerant(true).remote();
        for (int n = 0; n < 5; n++) {
            counter.task(Counter::incAndGet).remote().get();
        }
        ray.kill(counter);
        assertThat(counter.task(Counter::incAndGet).remote().get(SOON)).isEqualTo(6);
        assertThat(MADE).hasValue(2);
        assertThat(CALLS).hasValue(11);
        ray.kill(counter, true);
        assertThatThrownBy(() -> counter.task(Counter::incAndGet).remote().get(SOON))
                .isInstanceOf(ActorDiedException.class)
                .hasMessageContaining("killed by " + Thread.currentThread().getName());
    }

    @Test
    void a_checkpoint_makes_rebuilding_short() {
        ActorHandle<Saved> counter = ray.actor(() -> new Saved()).remote();
        for (int n = 0; n < 5; n++) {
            counter.task(Saved::incAndGet).remote();
        }
        assertThat(ray.checkpoint(counter).get(SOON)).isNull();
        assertThat(counter.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(6);
        int calls = CALLS.get();
        ray.kill(counter);
        assertThat(counter.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(7);
        assertThat(CALLS.get() - calls).as("one replayed, one new").isEqualTo(2);
        assertThat(Saved.RESTORES).hasValue(1);
    }

    @Test
    void one_that_is_not_checkpointable_says_so_and_lives_on() {
        ActorHandle<Counter> counter = ray.actor(() -> new Counter()).checkpoints(CheckpointPolicy.every(1)).remote();
        counter.task(Counter::incAndGet).remote().get();
        assertThatThrownBy(() -> ray.checkpoint(counter).get(SOON))
                .isInstanceOf(RayException.class).hasMessageContaining("Checkpointable");
        assertThat(counter.task(Counter::incAndGet).remote().get(SOON)).isEqualTo(2);
    }

    @Test
    void a_freed_result_is_made_again_beside_the_live_instance() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Counter> counter = b.actor(() -> new Counter()).faultTolerant(true).remote();
            List<ObjectRef<Integer>> counts = new ArrayList<>();
            for (int n = 0; n < 6; n++) {
                counts.add(counter.task(Counter::incAndGet).remote());
            }
            ray.get(counts);
            ray.free(counts.get(2));
            assertThat(counts.get(2).get(SOON)).isEqualTo(3);
            assertThat(counter.task(Counter::get).remote().get(SOON)).isEqualTo(6);
        }
    }

    @Test
    void it_dies_with_its_batch_unless_it_is_kept_with_what_it_was_made_of() {
        ActorHandle<Saved> kept;
        ActorHandle<Saved> left;
        try (Batch outer = ray.startBatch()) {
            try (Batch inner = outer.startBatch()) {
                kept = inner.actor((int[] x) -> new Saved(x), new int[] {100}).remote();
                left = inner.actor(() -> new Saved()).remote();
                assertThat(kept.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(101);
                ray.checkpoint(kept).get(SOON);
                inner.keep(kept);
            }
            assertThatThrownBy(() -> left.task(Saved::get).remote().get(SOON)).isInstanceOf(ActorDiedException.class);
            assertThat(kept.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(102);
            ray.kill(kept);
            assertThat(kept.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(103);
        }
        assertThatThrownBy(() -> kept.task(Saved::get).remote().get(SOON)).isInstanceOf(ActorDiedException.class);
    }

    /** What it was made of was copied only when its constructor had run before: it died when it was to be restored. */
    @Test
    void one_that_is_kept_before_it_is_constructed_is_kept_with_what_it_is_made_of() {
        CountDownLatch go = new CountDownLatch(1);
        try (Batch outer = ray.startBatch()) {
            ActorHandle<Saved> kept;
            try (Batch inner = outer.startBatch()) {
                ObjectRef<int[]> late = inner.task(() -> {
                    go.await();
                    return new int[] {100};
                }).remote();
                kept = inner.actor((int[] x) -> new Saved(x), late).remote();
                inner.keep(kept);
                go.countDown();
                assertThat(kept.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(101);
            }
            ray.checkpoint(kept).get(SOON);
            ray.kill(kept);
            assertThat(kept.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(102);
        }
    }

    @Test
    void two_batches_interleaved_on_it_and_a_kill_afterwards_leave_the_right_count() {
        ActorHandle<Counter> counter = ray.actor(() -> new Counter()).faultTolerant(true).remote();
        Batch b1 = ray.startBatch(1);
        Batch b2 = ray.startBatch(2);
        List<Integer> seen = new ArrayList<>();
        for (int n = 0; n < 3; n++) {
            ray.setCurrentBatch(1);
            seen.add(counter.task(Counter::incAndGet).remote().get(SOON));
            ray.setCurrentBatch(2);
            seen.add(counter.task(Counter::incAndGet).remote().get(SOON));
        }
        assertThat(seen).containsExactly(1, 2, 3, 4, 5, 6);
        ray.endBatch(1, true);
        assertThat(ray.status(1).recordsHeld()).isNotEmpty();
        ray.kill(counter);
        assertThat(counter.task(Counter::incAndGet).remote().get(SOON)).isEqualTo(7);
        ray.endBatch(2, true);
        ray.setCurrentBatch(0);
        assertThat(counter.task(Counter::get).remote().get(SOON)).isEqualTo(7);
        assertThat(b1.status().state().isCollected() && b2.status().state().isCollected()).isTrue();
    }

    @Test
    void a_checkpoint_at_the_boundary_lets_the_records_go() {
        ActorHandle<Saved> counter = ray.actor(() -> new Saved()).remote();
        ray.startBatch(5);
        counter.task(Saved::incAndGet).remote().get(SOON);
        ray.destroyBatch(5, true);
        assertThat(Saved.SAVES).hasValue(1);
        assertThat(ray.status(5).recordsHeld()).isEmpty();
        ray.kill(counter);
        ray.setCurrentBatch(0);
        assertThat(counter.task(Saved::incAndGet).remote().get(SOON)).isEqualTo(2);
    }

    @Test
    void a_batch_is_rolled_back_to_its_beginning() {
        ActorHandle<Saved> counter = ray.actor(() -> new Saved()).remote();
        assertThat(counter.task(Saved::addAndGet, 10).remote().get(SOON)).isEqualTo(10);
        try (Batch b = ray.startBatch(BatchOptions.builder().checkpointActors(true).build())) {
            assertThat(counter.task(Saved::addAndGet, 5).remote().get(SOON)).isEqualTo(15);
            b.end();
            ray.rollback(b);
        }
        assertThat(counter.task(Saved::get).remote().get(SOON)).isEqualTo(10);
        try (Batch b = ray.startBatch()) {
            counter.task(Saved::addAndGet, 5).remote().get(SOON);
            b.end();
            assertThatThrownBy(() -> ray.rollback(b)).isInstanceOf(RollbackException.class);
        }
    }

    @Test
    void one_that_is_not_fault_tolerant_or_has_no_restarts_left_dies_when_it_is_lost() {
        ActorHandle<Counter> careless = ray.actor(() -> new Counter()).faultTolerant(false).remote();
        assertThat(careless.task(Counter::incAndGet).remote().get(SOON)).isEqualTo(1);
        ray.kill(careless);
        assertThatThrownBy(() -> careless.task(Counter::get).remote().get(SOON)).isInstanceOf(ActorDiedException.class);
        ActorHandle<Counter> once = ray.actor(() -> new Counter()).faultTolerant(true).restarts(1).remote();
        once.task(Counter::incAndGet).remote().get(SOON);
        ray.kill(once);
        assertThat(once.task(Counter::get).remote().get(SOON)).isEqualTo(1);
        ray.kill(once);
        assertThatThrownBy(() -> once.task(Counter::get).remote().get(SOON))
                .isInstanceOf(ActorDiedException.class).hasMessageContaining("restarts");
    }

    static class Slow extends Counter {
        int hang(CountDownLatch started) throws InterruptedException {
            started.countDown();
            Thread.sleep(1_000_000);
            return count;
        }
    }

    private static volatile CountDownLatch started;

    @Test
    void cancelling_its_tasks_loses_the_instance_and_it_is_rebuilt() throws Exception {
        started = new CountDownLatch(1);
        ActorHandle<Slow> slow = ray.actor(() -> new Slow()).faultTolerant(true).remote();
        assertThat(slow.task(Slow::incAndGet).remote().get(SOON)).isEqualTo(1);
        ObjectRef<Integer> hanging = slow.task((Slow s) -> s.hang(started)).remote();
        ObjectRef<Integer> behind = slow.task(Slow::incAndGet).remote();
        started.await();
        ray.cancel(slow);
        assertThatThrownBy(() -> hanging.get(SOON)).isInstanceOf(TaskCancelledException.class);
        assertThatThrownBy(() -> behind.get(SOON)).isInstanceOf(TaskCancelledException.class);
        assertThat(slow.task(Slow::incAndGet).remote().get(SOON)).isEqualTo(2);
    }

    @Test
    void a_task_may_make_one_and_hand_it_on() throws Exception {
        RayApi here = ray;
        CompletableFuture<ActorHandle<Counter>> handle = new CompletableFuture<>();
        try (Batch b = ray.startBatch()) {
            b.task(() -> {
                handle.complete(here.actor(() -> new Counter()).remote());
            }).remote().get(SOON);
            assertThat(handle.get(20, TimeUnit.SECONDS).task(Counter::incAndGet).remote().get(SOON)).isEqualTo(1);
        }
    }
}
