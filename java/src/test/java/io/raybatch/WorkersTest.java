package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The engine's threads, and those who wait for them: what they tell, and what they let go of. */
@Timeout(60)
class WorkersTest extends StoreTest {

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
