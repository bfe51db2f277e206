package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The engine's threads, and those who wait for them: what they tell, and what they let go of. */
@Timeout(60)
class WorkersTest extends StoreTest {

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
}
