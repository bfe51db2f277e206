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
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Actors that are killed while others wait for them, and actors that cannot be saved just now. */
@Timeout(60)
class ActorLossTest extends StoreTest {

    private enum Trouble {
        SAVE_THROWS,
        STATE_CANNOT_BE_WRITTEN,
        STORE_IS_FULL
    }

    private static final AtomicInteger CALLS = new AtomicInteger();
    private static final AtomicInteger RESTORES = new AtomicInteger();
    private static volatile Trouble trouble;

    /** Not for Fory, and not for Java: a thread. */
    record State(int count, Object rest) {}

    static final class Fragile implements Checkpointable<State> {
        private int count;

        int incAndGet() {
            CALLS.incrementAndGet();
            return ++count;
        }

        @Override
        public State save() throws Exception {
            if (trouble == Trouble.SAVE_THROWS) {
                throw new IllegalStateException("half of it");
            }
            return new State(count, trouble == Trouble.STORE_IS_FULL ? new byte[80 << 20]
                    : trouble == Trouble.STATE_CANNOT_BE_WRITTEN ? new Unwritable() : null);
        }

        @Override
        public void restore(State state) {
            RESTORES.incrementAndGet();
            count = state.count();
        }
    }

    /** A serializer is half-way through the state when it comes to it. */
    static final class Unwritable implements java.io.Externalizable {
        private static final long serialVersionUID = 1;

        @Override
        public void writeExternal(java.io.ObjectOutput out) {
            throw new IllegalStateException("half of it");
        }

        @Override
        public void readExternal(java.io.ObjectInput in) {}
    }

    @BeforeEach
    void nothingWasDone() {
        CALLS.set(0);
        RESTORES.set(0);
        trouble = null;
    }

    @ParameterizedTest
    @EnumSource(Trouble.class)
    void one_that_cannot_be_saved_says_so_goes_on_and_is_rebuilt_from_its_last_checkpoint(Trouble what) {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Fragile> actor = b.actor(Fragile::new).checkpoints(CheckpointPolicy.never()).remote();
            for (int n = 1; n <= 3; n++) {
                assertThat(actor.task(Fragile::incAndGet).remote().get(SOON)).isEqualTo(n);
            }
            ray.checkpoint(actor).get(SOON);
            for (int n = 4; n <= 5; n++) {
                assertThat(actor.task(Fragile::incAndGet).remote().get(SOON)).isEqualTo(n);
            }
            trouble = what;
            ObjectRef<Void> refused = ray.checkpoint(actor);
            ObjectRef<Integer> after = actor.task(Fragile::incAndGet).remote();
            assertThatThrownBy(() -> refused.get(SOON)).isInstanceOf(TaskException.class)
                    .hasMessageContaining(what == Trouble.STORE_IS_FULL ? "could not be stored" : "half of it");
            assertThat(after.get(SOON)).as("it goes on").isEqualTo(6);
            ray.kill(actor);
            assertThat(actor.task(Fragile::incAndGet).remote().get(SOON)).as("it is rebuilt").isEqualTo(7);
            assertThat(RESTORES).as("from the checkpoint that there is").hasValue(1);
            assertThat(CALLS).as("by the three tasks after it").hasValue(6 + 3 + 1);
            trouble = null;
            ray.checkpoint(actor).get(SOON);
            ray.kill(actor);
            assertThat(actor.task(Fragile::incAndGet).remote().get(SOON)).isEqualTo(8);
            assertThat(CALLS).as("and from the next one that succeeds").hasValue(10 + 1);
        }
    }

    @ParameterizedTest
    @EnumSource(Trouble.class)
    void a_policy_whose_checkpoints_all_fail_holds_up_no_task_and_loses_no_state(Trouble what) {
        trouble = what;
        try (Batch b = ray.startBatch()) {
            ActorHandle<Fragile> actor = b.actor(Fragile::new).checkpoints(CheckpointPolicy.every(1)).remote();
            for (int n = 1; n <= 5; n++) {
                assertThat(actor.task(Fragile::incAndGet).remote().get(SOON)).isEqualTo(n);
            }
            ray.kill(actor);
            assertThat(actor.task(Fragile::incAndGet).remote().get(SOON)).isEqualTo(6);
            assertThat(RESTORES).hasValue(0);
        }
    }

    static final class Waiting {
        private final CompletableFuture<Throwable> told;
        private final CountDownLatch running;

        Waiting(CountDownLatch running, CompletableFuture<Throwable> told) {
            this.running = running;
            this.told = told;
        }

        int await(List<ObjectRef<byte[]>> never) {
            running.countDown();
            try {
                return never.get(0).get().length;
            } catch (RuntimeException e) {
                told.complete(e);
                throw e;
            }
        }

        int spin() {
            running.countDown();
            // deaf to all that is said to it
            while (told.getNow(null) == null) {
                LockSupport.parkNanos(1_000_000);
                Thread.interrupted();
            }
            return 0;
        }
    }

    @Test
    void who_waits_for_an_actor_that_is_killed_is_told_at_once_whatever_runs_on_it() throws Exception {
        reopen(config -> config.interruptGrace(Duration.ofMinutes(10)));
        CompletableFuture<Throwable> release = new CompletableFuture<>();
        CountDownLatch running = new CountDownLatch(1);
        RayApi here = ray;
        try (Batch b = ray.startBatch()) {
            ActorHandle<Waiting> actor = b.actor(() -> new Waiting(running, release)).name("deaf").remote();
            List<ObjectRef<Integer>> refs = new ArrayList<>();
            refs.add(actor.task(Waiting::spin).remote());
            refs.add(actor.task(Waiting::spin).remote());
            ObjectRef<Integer> dependent = b.task((Integer x) -> x, refs.get(1)).remote();
            try {
                running.await();
                List<CompletableFuture<Throwable>> waiting = new ArrayList<>();
                for (ObjectRef<Integer> ref : List.of(refs.get(0), refs.get(1), dependent)) {
                    waiting.add(inThread(() -> thrownBy(() -> ref.get(Duration.ofSeconds(50)))));
                    waiting.add(inThread(() -> b.task(() -> thrownBy(() -> here.get(ref)).toString()).remote().get())
                            .thenApply(IllegalStateException::new));
                }
                sleep(A_MOMENT);
                ray.kill(actor, true);
                for (int n = 0; n < waiting.size(); n++) {
                    Throwable told = waiting.get(n).get(20, TimeUnit.SECONDS);
                    if (n % 2 == 0) {
                        assertThat(told).isInstanceOf(ActorDiedException.class).hasMessageContaining("(deaf) is dead: it was killed by");
                    } else {
                        assertThat(told).as("a task that waits").hasMessageContaining("ActorDiedException: ");
                    }
                }
            } finally {
                release.complete(new IllegalStateException());
            }
        }
    }

    @Test
    void a_get_within_an_actors_task_ends_when_the_actor_is_killed_and_says_why() throws Exception {
        CompletableFuture<Throwable> told = new CompletableFuture<>();
        CountDownLatch running = new CountDownLatch(1);
        try (Batch b = ray.startBatch()) {
            ObjectWriter never = b.create(8);
            List<ObjectRef<byte[]>> held = List.of(never.ref());
            ActorHandle<Waiting> actor = b.actor(() -> new Waiting(running, told)).name("patient").remote();
            ObjectRef<Integer> waits = actor.task((Waiting w) -> w.await(held)).remote();
            running.await();
            sleep(A_MOMENT);
            ray.kill(actor, true);
            assertThat(told.get(20, TimeUnit.SECONDS)).isInstanceOf(TaskCancelledException.class)
                    .hasMessageContaining("(patient) is dead: it was killed by");
            assertThatThrownBy(() -> waits.get(SOON)).isInstanceOf(ActorDiedException.class);
        }
    }

    private static Throwable thrownBy(Runnable what) {
        try {
            what.run();
            return new AssertionError("nothing was thrown");
        } catch (RuntimeException e) {
            return e;
        }
    }
}
