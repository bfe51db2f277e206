package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.raybatch.log.RecordingProvider;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.event.Level;

/** A wait that is long says once what it is for. */
@Timeout(60)
class LongWaitLogTest extends StoreTest {

    private final CountDownLatch release = new CountDownLatch(1);

    @BeforeEach
    void warnSoon() {
        reopen(config -> config.taskSlots(2).waitWarning(Duration.ofMillis(30)));
        RecordingProvider.LOGGED.clear();
    }

    @AfterEach
    void letGo() {
        release.countDown();
    }

    /** The warning of that thread's wait, which goes on; it is the only one when the wait is over. */
    private <T> String warningOf(Callable<T> wait) {
        String name = "waits-" + System.nanoTime();
        CompletableFuture<T> done = inThread(() -> {
            Thread.currentThread().setName(name);
            return wait.call();
        });
        long end = System.nanoTime() + SOON.toNanos();
        while (warnings(name).isEmpty()) {
            assertThat(System.nanoTime() - end).as("waiting for a warning; %s", done).isNegative();
            Thread.onSpinWait();
        }
        // long enough for a second one
        sleep(Duration.ofMillis(100));
        release.countDown();
        join(done);
        assertThat(warnings(name)).hasSize(1);
        return warnings(name).get(0);
    }

    private static List<String> warnings(String thread) {
        return RecordingProvider.LOGGED.stream()
                .filter(entry -> entry.level() == Level.WARN && entry.message().contains("thread " + thread + " has waited 30 ms for"))
                .map(RecordingProvider.Entry::message).toList();
    }

    private ObjectRef<Integer> held(Batch b) {
        return b.task(() -> {
            release.await();
            return 1;
        }).name("held").remote();
    }

    @Test
    void get_names_the_object_its_batch_its_task_and_that_one_s_thread() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> ref = held(b);
            assertThat(warningOf(ref::get)).contains("object " + ref, "batch " + b.id(), "task held", "on thread raybatch-worker-", "runs");
        }
    }

    @Test
    void get_of_several_says_how_many_and_what_the_first_waits_for() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> first = held(b);
            ObjectRef<Integer> second = b.task((Integer n) -> n, first).name("second").remote();
            RayApi here = ray;
            assertThat(warningOf(() -> here.get(List.of(second, first)))).contains("2 objects", "task second", "takes a result of task held");
        }
    }

    @Test
    void a_wait_for_some_of_several_does_the_same() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> ref = held(b);
            RayApi here = ray;
            assertThat(warningOf(() -> here.wait(List.of(ref), 1, SOON))).contains("object " + ref, "task held");
        }
    }

    @Test
    void an_actor_s_method_waits_for_its_turn() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<CountDownLatch> actor = b.actor(() -> release).name("gate").remote();
            actor.task((CountDownLatch gate) -> {
                gate.await();
                return 1;
            }).name("busy").remote();
            ObjectRef<Integer> next = actor.task((CountDownLatch gate) -> 2).name("next").remote();
            assertThat(warningOf(next::get)).contains("task next", "waits for its turn on actor", "gate", "runs task busy");
        }
    }

    @Test
    void what_no_task_makes_is_said_to_be_a_writer_s() {
        ObjectWriter writer = ray.create(10);
        ObjectRef<byte[]> ref = writer.ref();
        ray.task(() -> 1).remote().get();
        CompletableFuture<Void> sealed = inThread(() -> {
            release.await();
            writer.seal();
            return null;
        });
        assertThat(warningOf(ref::get)).contains("object " + ref, "no batch", "no task makes it");
        join(sealed);
    }

    @Test
    void closing_names_the_tasks_that_are_not_over() {
        Batch b = ray.startBatch();
        held(b);
        long id = b.id();
        assertThat(warningOf(() -> {
            b.close();
            return null;
        })).contains("the end of batch " + id, "1 tasks are not over", "task held", "on thread raybatch-worker-");
    }

    @Test
    void memory_is_waited_for_and_said_so() {
        StoreFullException full = new StoreFullException("the store is full: 8 bytes needed", ErrorDetails.NONE);
        RayApi here = ray;
        // spilling is over too soon, or finds at once that it makes no space: the wait itself is what can be held
        assertThat(warningOf(() -> {
            Waiter waiter = new Waiter(here.room().memory(full));
            inThread(() -> {
                release.await();
                waiter.run();
                return null;
            });
            return waiter.await(Deadline.in(SOON));
        })).contains("memory in the store " + here.storeName(), "8 bytes needed");
    }

    @Test
    void capacity_for_tasks_is_waited_for_and_said_so() {
        reopen(config -> config.taskSlots(1).maxPendingTasks(1).waitWarning(Duration.ofMillis(30)));
        RecordingProvider.LOGGED.clear();
        try (Batch b = ray.startBatch()) {
            held(b);
            assertThat(warningOf(() -> b.task(() -> 2).name("further").remote())).contains("capacity to submit task further", "maxPendingTasks");
        }
    }

    @Test
    void a_get_that_times_out_says_what_it_waited_for() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> ref = held(b);
            assertThatThrownBy(() -> ref.get(Duration.ofMillis(20))).isInstanceOf(GetTimeoutException.class)
                    .hasMessageContainingAll("1 of 1 objects", "task held");
            release.countDown();
        }
    }
}
