package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Listeners to pressure come and go, and fail, without a cost to others. */
class PressureListenersTest extends StoreTest {

    @BeforeEach
    void openSmallStore() {
        reopen(config -> config.storeSize("16m"));
    }

    private static long threads(String prefix) {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().startsWith(prefix)).count();
    }

    private static void eventually(String what, BooleanSupplier holds) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!holds.getAsBoolean()) {
            assertThat(System.nanoTime()).as("in time: " + what).isLessThan(end);
            Thread.yield();
        }
    }

    private void fill(Batch b) {
        for (int n = 0; n < 140; n++) {
            b.put(bytes(n, 100_000));
        }
    }

    @Test
    void listeners_that_come_and_go_share_one_thread_and_none_is_left() throws Exception {
        long before = threads("raybatch-");
        List<AutoCloseable> listening = new ArrayList<>();
        for (int n = 0; n < 200; n++) {
            ray.onPressure(pressure -> {}).close();
            listening.add(ray.onPressure(pressure -> {}));
            if (n % 2 == 0) {
                listening.remove(0).close();
            }
        }
        eventually("one thread for a hundred listeners", () -> threads(PressureWatch.THREAD) == 1);
        assertThat(threads("raybatch-")).as("no other thread polls").isLessThan(before + 20);
        for (AutoCloseable one : listening) {
            one.close();
        }
        eventually("no thread without a listener", () -> threads(PressureWatch.THREAD) == 0);
        try (AutoCloseable again = ray.onPressure(pressure -> {})) {
            assertThat(again).isNotNull();
            eventually("a thread again", () -> threads(PressureWatch.THREAD) == 1);
            ray.close();
            eventually("none once the client is closed", () -> threads(PressureWatch.THREAD) == 0);
        }
    }

    @SuppressWarnings("unchecked")
    private static <X extends Throwable> void sneaky(Throwable thrown) throws X {
        throw (X) thrown;
    }

    @Test
    void whatever_one_listener_throws_the_others_and_itself_are_notified_of_every_change() throws Exception {
        BlockingQueue<Pressure.Level> told = new LinkedBlockingQueue<>();
        BlockingQueue<Pressure.Level> failing = new LinkedBlockingQueue<>();
        Consumer<Pressure> error = pressure -> {
            failing.add(pressure.level());
            throw new LinkageError("of a listener, which is logged");
        };
        Consumer<Pressure> checked = pressure -> PressureListenersTest.<RuntimeException>sneaky(new Exception("unchecked"));
        try (AutoCloseable first = ray.onPressure(error);
                AutoCloseable second = ray.onPressure(checked);
                AutoCloseable third = ray.onPressure(pressure -> told.add(pressure.level()))) {
            assertThat(List.of(first, second, third)).doesNotContainNull();
            for (int round = 0; round < 2; round++) {
                try (Batch b = ray.startBatch()) {
                    fill(b);
                    assertThat(told.poll(20, TimeUnit.SECONDS)).isEqualTo(Pressure.Level.HIGH);
                    assertThat(failing.poll(20, TimeUnit.SECONDS)).isEqualTo(Pressure.Level.HIGH);
                }
                assertThat(told.poll(20, TimeUnit.SECONDS)).isEqualTo(Pressure.Level.NORMAL);
                assertThat(failing.poll(20, TimeUnit.SECONDS)).isEqualTo(Pressure.Level.NORMAL);
            }
        }
    }

    @Test
    void a_warning_that_each_request_may_cause_is_one_line_in_ten_seconds() {
        LimitedLog log = new LimitedLog();
        long start = System.nanoTime();
        assertThat(log.admit(start)).isZero();
        for (int n = 0; n < 1000; n++) {
            assertThat(log.admit(start + n)).isEqualTo(-1);
        }
        assertThat(log.admit(start + TimeUnit.SECONDS.toNanos(10))).as("those that were not logged").isEqualTo(1000);
        assertThat(log.admit(start + TimeUnit.SECONDS.toNanos(21))).isZero();
    }
}
