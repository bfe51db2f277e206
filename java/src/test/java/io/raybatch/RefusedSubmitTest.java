package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What was put as an argument of a task that is not submitted is released with the refusal. */
class RefusedSubmitTest extends StoreTest {

    private static final int SIZE = 1 << 20;

    static int length(byte[] x) {
        return x.length;
    }

    static int lengths(byte[] x, byte[] y) {
        return x.length + y.length;
    }

    static final class Holder {
        private final byte[] bytes;

        Holder(byte[] bytes) {
            this.bytes = bytes;
        }

        int length(byte[] other) {
            return bytes.length + other.length;
        }
    }

    /** With a table that has room for one task, which waits for the latch. */
    private ObjectRef<Integer> fill(Batch b, CountDownLatch release) {
        RayFunc0<Integer> waits = () -> {
            release.await(SOON.toSeconds(), TimeUnit.SECONDS);
            return 1;
        };
        return b.task(waits).remote();
    }

    private static void interrupted(Runnable submit) {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(submit::run).isInstanceOf(RayInterruptedException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void a_submission_that_is_interrupted_while_the_table_is_full() {
        reopen(config -> config.maxPendingTasks(2));
        CountDownLatch release = new CountDownLatch(1);
        try (Batch b = ray.startBatch()) {
            ActorHandle<Holder> holder = b.actor(Holder::new, new byte[0]).remote();
            assertThat(holder.task(Holder::length, new byte[0]).remote().get(SOON)).isZero();
            ObjectRef<Integer> first = fill(b, release);
            ObjectRef<Integer> second = fill(b, release);
            long bytes = b.status().bytes();
            for (int n = 0; n < 5; n++) {
                interrupted(() -> b.task(RefusedSubmitTest::length, new byte[SIZE]).remote());
                interrupted(() -> b.actor(Holder::new, new byte[SIZE]).remote());
                interrupted(() -> holder.task(Holder::length, new byte[SIZE]).remote());
            }
            assertThat(b.status().bytes()).isEqualTo(bytes);
            release.countDown();
            assertThat(first.get(SOON) + second.get(SOON)).isEqualTo(2);
            assertThat(b.task(RefusedSubmitTest::length, new byte[SIZE]).remote().get(SOON)).isEqualTo(SIZE);
        }
    }

    @Test
    void a_later_argument_that_is_refused() {
        try (Batch b = ray.startBatch()) {
            long bytes = b.status().bytes();
            assertThatThrownBy(() -> b.task((byte[] x, Batch y) -> x.length, new byte[SIZE], b).remote())
                    .isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> b.task(RefusedSubmitTest::lengths, new byte[SIZE], new byte[80 << 20]).remote())
                    .isInstanceOf(StoreFullException.class);
            assertThatThrownBy(() -> b.actor((byte[] x, RayApi y) -> new Holder(x), new byte[SIZE], ray).remote())
                    .isInstanceOf(InvalidArgumentException.class);
            assertThat(b.status().bytes()).isEqualTo(bytes);
        }
    }

    @Test
    void what_the_table_refuses() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Holder> dead = b.actor(Holder::new, new byte[10]).remote();
            assertThat(dead.task(Holder::length, new byte[10]).remote().get(SOON)).isEqualTo(20);
            ray.kill(dead, true);
            long bytes = b.status().bytes();
            assertThatThrownBy(() -> dead.task(Holder::length, new byte[SIZE]).remote()).isInstanceOf(ActorDiedException.class);
            assertThat(b.status().bytes()).isEqualTo(bytes);
        }
    }

    @Test
    void normal_mode_keeps_nothing_either() {
        ActorHandle<Holder> dead = ray.actor(Holder::new, new byte[10]).remote();
        assertThat(dead.task(Holder::length, new byte[10]).remote().get(SOON)).isEqualTo(20);
        ray.kill(dead, true);
        long live = ray.stats().live();
        assertThatThrownBy(() -> dead.task(Holder::length, new byte[SIZE]).remote()).isInstanceOf(ActorDiedException.class);
        assertThat(ray.stats().live()).isEqualTo(live);
    }

    @Test
    void a_task_that_is_refused_more_tasks_can_run_again() {
        reopen(config -> config.maxPendingTasks(1).taskSlots(1));
        List<Long> bytes = Collections.synchronizedList(new ArrayList<>());
        try (Batch b = ray.startBatch()) {
            RayFunc0<Integer> submits = () -> {
                // this task is the one that may be pending; a second run of it is not counted again
                long before = b.status().bytes();
                try {
                    return b.task(RefusedSubmitTest::length, new byte[SIZE]).remote().get(SOON);
                } catch (TooManyTasksException refused) {
                    bytes.add(b.status().bytes() - before);
                    return -1;
                }
            };
            ObjectRef<Integer> result = b.task(submits).remote();
            assertThat(result.get(SOON)).isEqualTo(-1);
            assertThat(bytes).containsExactly(0L);
            ray.free(result);
            assertThat(result.get(SOON)).as("the second run puts the same object again").isEqualTo(SIZE);
        }
    }
}
