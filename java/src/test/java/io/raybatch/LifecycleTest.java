package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** From opening to closing: what is left open, threads in the background, names, and what a task of several results returns. */
@Timeout(60)
class LifecycleTest extends StoreTest {

    private static void await(java.util.function.BooleanSupplier done, Runnable meanwhile) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!done.getAsBoolean() && System.nanoTime() < end) {
            meanwhile.run();
            TimeUnit.MILLISECONDS.sleep(20);
        }
        assertThat(done.getAsBoolean()).isTrue();
    }

    /** What it is in the end, or when it is as expected. */
    private static <T> T eventually(Supplier<T> what, T expected) throws InterruptedException {
        return eventually(what, expected, TimeUnit.SECONDS.toNanos(20));
    }

    private static <T> T eventually(Supplier<T> what, T expected, long nanos) throws InterruptedException {
        long end = System.nanoTime() + nanos;
        T now = what.get();
        while (!now.equals(expected) && System.nanoTime() < end) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(20);
            now = what.get();
        }
        return now;
    }

    private static boolean isOpen(String store) {
        try {
            RayApi.connect(store).close();
            return true;
        } catch (StoreConnectException closed) {
            return false;
        }
    }

    private static String leave(boolean runTasks) {
        RayApi ray = RayApi.open(RayConfig.builder().storeSize("8m").build());
        if (runTasks) {
            try (Batch b = ray.startBatch()) {
                assertThat(b.task(() -> 1).remote().get(SOON)).isEqualTo(1);
            }
        }
        return ray.storeName();
    }

    /** One that ran tasks is reachable until its workers have rested for some time. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void a_client_that_nobody_closed_or_can_reach_is_closed(boolean runTasks) throws InterruptedException {
        String store = leave(runTasks);
        await(() -> !isOpen(store), System::gc);
    }

    /** Each goes on in a thread of the background, as users' code does that blocks: there are not more of those for it. */
    @Test
    void fifty_thousand_pending_stages_take_few_threads_and_all_complete() throws Exception {
        reopen(config -> config.storeSize("256m"));
        int count = 50_000;
        CountDownLatch go = new CountDownLatch(1);
        CountDownLatch completed = new CountDownLatch(count);
        try (Batch b = ray.startBatch()) {
            ObjectWriter writer = b.create(8);
            ObjectRef<byte[]> ref = writer.ref();
            for (int n = 0; n < count; n++) {
                ref.stage().thenAccept(value -> {
                    try {
                        go.await();
                    } catch (InterruptedException e) {
                        throw new IllegalStateException(e);
                    }
                    completed.countDown();
                });
            }
            writer.put(0, new byte[8]);
            writer.seal();
            // users' code occupies all threads that it may have; what tasks need goes on
            await(() -> names("raybatch-\\d+") == Background.MOST, () -> {});
            assertThat(b.task(() -> 1).remote().get(SOON)).isEqualTo(1);
            CountDownLatch began = new CountDownLatch(1);
            ObjectRef<Integer> cancelled = b.task(() -> {
                began.countDown();
                Thread.sleep(60_000);
                return 1;
            }).remote();
            assertThat(began.await(10, TimeUnit.SECONDS)).isTrue();
            ray.cancel(cancelled);
            assertThatThrownBy(() -> cancelled.get(SOON)).isInstanceOf(TaskCancelledException.class);
            assertThat(names("raybatch.*")).isLessThanOrEqualTo(64);
            go.countDown();
            assertThat(completed.await(30, TimeUnit.SECONDS)).isTrue();
        }
    }

    private static List<String> named(String pattern) {
        return Thread.getAllStackTraces().keySet().stream().map(Thread::getName).filter(name -> name.matches(pattern)).toList();
    }

    private static long names(String pattern) {
        return Thread.getAllStackTraces().keySet().stream().filter(thread -> thread.getName().matches(pattern)).count();
    }

    private static void useAndClose() {
        try (RayApi own = RayApi.open(RayConfig.builder().storeSize("8m").build()); Batch b = own.startBatch()) {
            CompletableFuture<Integer> stage = b.task(() -> 1).remote().stage().toCompletableFuture();
            assertThat(stage.join()).isEqualTo(1);
        }
    }

    /** One thread waits until what lies over the memory of a closed store is collected. */
    @Test
    void no_thread_is_left_after_close() throws InterruptedException {
        ray.close();
        ray = null;
        // closed clients that other tests refer to still: their memory's mapping is released when they are collected
        int others = eventually(() -> Cleaners.pending().size(), 0, TimeUnit.SECONDS.toNanos(2));
        useAndClose();
        try {
            assertThat(eventually(() -> Cleaners.pending().size(), others)).as(() -> "held by " + Cleaners.pending()).isEqualTo(others);
            String ours = others == 0 ? "raybatch.*" : "raybatch(?!-cleaner).*";
            assertThat(eventually(() -> named(ours), List.of())).isEmpty();
        } finally {
            ray = open(config -> config);
        }
    }

    @Test
    void a_group_is_not_named_by_what_has_no_form_in_utf_8() {
        assertThatThrownBy(() -> RayConfig.builder().storeName("\ud800")).isInstanceOf(InvalidArgumentException.class);
        for (String name : List.of("\ud800", "a\udc00", "\ud83d", "b\ude00\ud83d")) {
            assertThatThrownBy(() -> ray.group(name)).isInstanceOf(InvalidArgumentException.class)
                    .hasMessageContaining("lone surrogate");
            ResourceGroup outer = ray.group("outer");
            assertThatThrownBy(() -> outer.group(name)).isInstanceOf(InvalidArgumentException.class);
        }
        assertThat(ray.group("\ud83d\ude00").status().path()).isEqualTo("\ud83d\ude00");
    }

    static List<Arguments> arrays() {
        return Stream.<Object>of(
                new float[] {1, 2}, new double[] {1, 2}, new long[] {1, 2}, new int[] {1, 2}, new short[] {1, 2}, new byte[] {1, 2},
                new char[] {1, 2}, new boolean[] {true, false}, new Object[] {"a", 2}, new String[] {"a", "b"})
                .map(array -> Arguments.of(array, 2))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("arrays")
    void a_task_of_several_results_may_return_an_array_of_any_type(Object array, int count) {
        List<Object> expected = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            expected.add(java.lang.reflect.Array.get(array, n));
        }
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<Object>> refs = b.task(() -> array).remote(count);
            assertThat(ray.get(refs, SOON)).isEqualTo(expected);
            List<ObjectRef<Object>> three = b.task(() -> array).remote(3);
            assertThatThrownBy(() -> ray.get(three, SOON)).hasMessageContaining("2 elements");
        }
    }

    @Test
    void after_shutdown_ray_is_closed_until_it_is_initialized() {
        RayConfig config = RayConfig.builder().storeSize("8m").build();
        Ray.init(config);
        ObjectRef<Integer> before = Ray.put(1);
        Ray.shutdown();
        List<Runnable> calls = Arrays.asList(
                () -> Ray.put("x"), () -> Ray.get(before), Ray::startBatch, Ray::instance, Ray::stats, () -> Ray.task(() -> 1),
                () -> Ray.wait(List.of(before), 1, Duration.ZERO));
        for (Runnable call : calls) {
            assertThatThrownBy(call::run).isInstanceOf(RayClosedException.class);
        }
        assertThat(Ray.isInitialized()).isFalse();
        Ray.shutdown();
        Ray.init(config);
        assertThat(Ray.put(2).get()).isEqualTo(2);
        Ray.instance().close();
        assertThatThrownBy(() -> Ray.put(3)).isInstanceOf(RayClosedException.class);
        Ray.init(config);
        assertThat(Ray.put(4).get()).isEqualTo(4);
        Ray.shutdown();
    }
}
