package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Closing takes all its steps, whichever of them fails. */
@Tag("faults")
@Timeout(60)
class CloseFaultsTest {

    @BeforeEach
    void onlyWithFaults() {
        try {
            NativeLibrary.ensureLoaded();
            Native.injectPanic("none");
        } catch (UnsatisfiedLinkError | RayException without) {
            assumeTrue(false, "this library was built without the feature fault-injection");
        }
    }

    @Test
    void a_step_that_fails_keeps_none_of_the_others_from_being_taken() throws InterruptedException {
        RayApi ray = RayApi.open(RayConfig.builder().storeSize("8m").build());
        String store = ray.storeName();
        CountDownLatch began = new CountDownLatch(1);
        CountDownLatch interrupted = new CountDownLatch(1);
        Batch batch = ray.startBatch();
        batch.task(() -> {
            began.countDown();
            try {
                Thread.sleep(60_000);
            } catch (InterruptedException e) {
                interrupted.countDown();
            }
        }).remote();
        assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();
        Native.injectPanic("cancelTasks");
        assertThatThrownBy(ray::close).isInstanceOf(RayInternalException.class).hasMessageContaining("cancelTasks");
        assertThat(ray.isClosed()).isTrue();
        assertThat(interrupted.await(10, TimeUnit.SECONDS)).as("the task was cancelled").isTrue();
        assertThatThrownBy(() -> RayApi.connect(store)).isInstanceOf(StoreConnectException.class);
        ray.close();
    }

    @Test
    void what_the_first_step_threw_is_thrown_with_the_others_suppressed() {
        RuntimeException first = new IllegalStateException("first");
        RuntimeException second = new IllegalStateException("second");
        CountDownLatch last = new CountDownLatch(1);
        Steps steps = new Steps().run(() -> {
            throw first;
        }).run(() -> {
            throw second;
        }).run(last::countDown);
        assertThatThrownBy(steps::end).isSameAs(first);
        assertThat(first.getSuppressed()).containsExactly(second);
        assertThat(last.getCount()).isZero();
    }
}
