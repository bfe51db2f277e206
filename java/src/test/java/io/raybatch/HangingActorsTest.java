package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Actors whose constructor, {@code save} or {@code restore} does not end: they hold up nobody who ends them. */
@Timeout(60)
class HangingActorsTest extends StoreTest {

    private enum Point {
        CONSTRUCTOR,
        SAVE,
        RESTORE,
        CONSTRUCTOR_OF_RESTORE
    }

    private enum End {
        KILL,
        CANCEL,
        TIMEOUT,
        CLOSE_STORE
    }

    private static volatile Point hangs;
    private static volatile boolean stubborn;
    private static volatile CountDownLatch entered;
    private static volatile CountDownLatch release;
    private static final AtomicReference<String> THREAD = new AtomicReference<>();

    static final class Hanging implements Checkpointable<Integer> {
        private int count;

        Hanging() throws InterruptedException {
            at(Point.CONSTRUCTOR);
            at(Point.CONSTRUCTOR_OF_RESTORE);
        }

        int incAndGet() {
            return ++count;
        }

        @Override
        public Integer save() throws InterruptedException {
            at(Point.SAVE);
            return count;
        }

        @Override
        public void restore(Integer state) throws InterruptedException {
            at(Point.RESTORE);
            count = state;
        }

        private static void at(Point here) throws InterruptedException {
            if (here != hangs) {
                return;
            }
            THREAD.set(Thread.currentThread().getName());
            entered.countDown();
            while (release.getCount() > 0) {
                LockSupport.parkNanos(1_000_000);
                if (Thread.interrupted() && !stubborn) {
                    throw new InterruptedException();
                }
            }
        }
    }

    @AfterEach
    void letGo() {
        hangs = null;
        if (release != null) {
            release.countDown();
        }
    }

    static Stream<Arguments> all() {
        return Arrays.stream(Point.values()).flatMap(point -> Arrays.stream(End.values())
                .flatMap(end -> Stream.of(true, false).map(ignores -> Arguments.of(point, end, ignores))));
    }

    @ParameterizedTest
    @MethodSource("all")
    void who_ends_one_that_hangs_goes_on_and_so_does_the_engine(Point point, End end, boolean ignoresInterrupts) throws Exception {
        reopen(config -> config.taskSlots(1).interruptGrace(Duration.ofMillis(ignoresInterrupts ? 50 : 60_000)));
        stubborn = ignoresInterrupts;
        entered = new CountDownLatch(1);
        release = new CountDownLatch(1);
        Duration time = end == End.TIMEOUT ? Duration.ofMillis(400) : Duration.ofMinutes(10);
        Batch b = ray.startBatch(BatchOptions.builder().timeout(time).build());
        hangs = point == Point.CONSTRUCTOR ? point : null;
        ActorHandle<Hanging> actor = b.actor(Hanging::new)
                .checkpoints(point == Point.SAVE ? CheckpointPolicy.every(1) : CheckpointPolicy.never()).remote();
        if (point != Point.CONSTRUCTOR) {
            assertThat(actor.task(Hanging::incAndGet).remote().get(SOON)).isEqualTo(1);
        }
        if (point == Point.RESTORE || point == Point.CONSTRUCTOR_OF_RESTORE) {
            ray.checkpoint(actor).get(SOON);
            ray.kill(actor);
        }
        hangs = point;
        ObjectRef<Integer> waits = actor.task(Hanging::incAndGet).remote();
        entered.await();
        ray.setCurrentBatch(0);
        switch (end) {
            case KILL -> ray.kill(actor, true);
            case CANCEL -> ray.cancel(b);
            case CLOSE_STORE -> ray.close();
            default -> { }
        }
        assertThatThrownBy(() -> waits.get(SOON)).isInstanceOfAny(ActorDiedException.class, TaskCancelledException.class,
                ObjectCollectedException.class, BatchTimedOutException.class, RayClosedException.class);
        if (end == End.CLOSE_STORE) {
            return;
        }
        assertThat(ray.task(() -> 5).remote().get(SOON)).isEqualTo(5);
        List<String> given = ignoresInterrupts ? List.of(THREAD.get()) : List.of();
        ActorTest.until("status names the thread", () -> b.status().abandonedThreads().equals(given));
        if (end != End.KILL) {
            ActorTest.until("collected", () -> b.status().state().isCollected());
        } else {
            b.close();
        }
    }
}
