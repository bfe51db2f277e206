package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.reflect.Method;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/** From JDK 21 on. Compiled for 17, which has none. */
class VirtualThreadsTest extends StoreTest {

    /** Many more than there can be carrier threads: if each held on to one, most would never get to wait. */
    private static final int THREADS = 2000;

    @Test
    void a_virtual_thread_that_waits_holds_on_to_no_carrier() throws ReflectiveOperationException, InterruptedException {
        Method start;
        try {
            start = Thread.class.getMethod("startVirtualThread", Runnable.class);
        } catch (NoSuchMethodException e) {
            assumeTrue(false, "no virtual threads before JDK 21");
            return;
        }
        CountDownLatch begun = new CountDownLatch(THREADS);
        CountDownLatch done = new CountDownLatch(THREADS);
        AtomicLong sum = new AtomicLong();
        try (Batch b = ray.startBatch()) {
            ObjectWriter writer = b.create(8);
            for (int t = 0; t < THREADS; t++) {
                start.invoke(null, b.wrap((Runnable) () -> {
                    begun.countDown();
                    sum.addAndGet(ray.get(writer.ref(), SOON).length);
                    ray.put(new byte[10]);
                    done.countDown();
                }));
            }
            assertThat(begun.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            writer.seal();
            assertThat(done.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(sum).hasValue(8L * THREADS);
            assertThat(b.status().objects()).isEqualTo(THREADS + 1);
        }
    }
}
