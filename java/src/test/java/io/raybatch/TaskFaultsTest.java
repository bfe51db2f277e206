package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Workers for which the table fails: nothing they have taken or done gets lost, and others take their place. */
@Tag("faults")
@Timeout(60)
class TaskFaultsTest extends StoreTest {

    private static final int SLOTS = 2;

    @BeforeEach
    void onlyWithFaults() {
        try {
            // none is left of a test before
            Native.injectPanic("none");
        } catch (UnsatisfiedLinkError | RayException without) {
            assumeTrue(false, "this library was built without the feature fault-injection");
        }
        reopen(config -> config.taskSlots(SLOTS));
    }

    /** As many tasks run at a time as there are slots: neither more nor less. */
    private void assertAllSlotsWork() {
        CyclicBarrier both = new CyclicBarrier(SLOTS);
        AtomicInteger now = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<Void>> all = new ArrayList<>();
            for (int n = 0; n < 6 * SLOTS; n++) {
                all.add(b.task(() -> {
                    most.accumulateAndGet(now.incrementAndGet(), Math::max);
                    both.await(20, TimeUnit.SECONDS);
                    Thread.sleep(5);
                    now.decrementAndGet();
                }).remote());
            }
            ray.get(all, SOON);
        }
        assertThat(most).hasValue(SLOTS);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 40})
    void what_was_done_is_told_again_when_it_could_not_be_told(int tasks) {
        for (int round = 0; round < 20; round++) {
            try (Batch b = ray.startBatch()) {
                List<ObjectRef<Integer>> refs = new ArrayList<>();
                Native.injectPanic("complete");
                for (int n = 0; n < tasks; n++) {
                    refs.add(b.task((Integer x) -> 2 * x, n).remote());
                }
                List<Integer> values = ray.get(refs, SOON);
                for (int n = 0; n < tasks; n++) {
                    assertThat(values.get(n)).isEqualTo(2 * n);
                }
            }
        }
        assertAllSlotsWork();
    }

    @Test
    void a_worker_that_fails_at_any_moment_is_replaced_and_counts_no_more() {
        Random random = new Random(5);
        try (Batch b = ray.startBatch()) {
            for (int round = 0; round < 300; round++) {
                ObjectRef<Integer> before = b.task(() -> 1).remote();
                before.get(SOON);
                LockSupport.parkNanos(random.nextInt(60_000));
                Native.injectPanic(random.nextBoolean() ? "take" : "active");
                ObjectRef<Integer> after = b.task(() -> 2).remote();
                assertThat(after.get(SOON)).as("round %d", round).isEqualTo(2);
            }
        }
        Native.injectPanic("none");
        assertAllSlotsWork();
    }

    @Test
    void a_task_that_cannot_wait_fails_and_has_its_slot_back() {
        RayApi here = ray;
        for (int round = 0; round < 10; round++) {
            try (Batch b = ray.startBatch()) {
                ObjectWriter never = b.create(8);
                ObjectRef<byte[]> late = never.ref();
                Native.injectPanic("blockOn");
                ObjectRef<Integer> waits = b.task(() -> here.get(late).length).remote();
                assertThatThrownBy(() -> waits.get(SOON)).isInstanceOf(TaskException.class)
                        .hasCauseInstanceOf(RayInternalException.class);
            }
        }
        assertAllSlotsWork();
    }

    @Test
    void a_result_that_cannot_be_stored_fails_its_task_alone() {
        try (Batch b = ray.startBatch()) {
            Native.injectPanic("putResult");
            ObjectRef<byte[]> large = b.task(() -> new byte[100_000]).remote();
            assertThatThrownBy(() -> large.get(SOON)).isInstanceOf(TaskException.class);
            assertThat(b.task(() -> new byte[100_000]).remote().get(SOON)).hasSize(100_000);
        }
        assertAllSlotsWork();
    }
}
