package io.raybatch;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Timeout;

/** A test of tasks and actors, with what such tests need again and again. All waits are bounded, and none is a measure. */
@Timeout(60)
abstract class TaskStoreTest extends StoreTest {

    /** Counts, and cannot be saved: rebuilt by running again what it ran. */
    static class Counter {
        int count;

        Counter() {}

        Counter(int count) {
            this.count = count;
        }

        int incAndGet() {
            return ++count;
        }

        int add(int n) {
            count += n;
            return count;
        }

        int get() {
            return count;
        }
    }

    /** One that can be saved. */
    static class SavedCounter extends Counter implements Checkpointable<Integer> {

        @Override
        public Integer save() {
            return count;
        }

        @Override
        public void restore(Integer state) {
            count = state;
        }
    }

    static int twice(int x) {
        return 2 * x;
    }

    static int sum(int a, int b) {
        return a + b;
    }

    /** Waits for a latch, as a task or a test does that must not go on before. */
    static void await(CountDownLatch latch) {
        try {
            if (!latch.await(SOON.toSeconds(), TimeUnit.SECONDS)) {
                throw new AssertionError("waited in vain");
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    static void await(CyclicBarrier barrier) {
        try {
            barrier.await(SOON.toSeconds(), TimeUnit.SECONDS);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** Waits for something that follows by itself and that nobody tells of. */
    static void eventually(String what, BooleanSupplier condition) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - end > 0) {
                throw new AssertionError(what + ", and it does not");
            }
            sleep(java.time.Duration.ofMillis(1));
        }
    }

    /** Ignores interrupts until it is let go; its later calls of raybatch are the test's. */
    static void ignoringInterrupts(CountDownLatch until) {
        boolean done = false;
        while (!done) {
            try {
                done = until.await(SOON.toSeconds(), TimeUnit.SECONDS);
                if (!done) {
                    return;
                }
            } catch (InterruptedException ignored) {
                // that is the point
            }
        }
    }

    boolean isCollected(long batch) {
        return ray.status(batch).state().isCollected();
    }
}
