package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Stages complete whatever happens, and one that is completed otherwise leaves nothing behind. */
class StageTest extends StoreTest {

    record Value(int n) {}

    /** Reading throws an Error. */
    private static Serializer throwing(Supplier<Error> thrown) {
        return new Serializer() {
            @Override
            public byte[] serialize(Object value) {
                return new byte[] {1};
            }

            @Override
            public Object deserialize(byte[] bytes) {
                throw thrown.get();
            }
        };
    }

    private static Error error(String name) {
        return switch (name) {
            case "heap" -> new OutOfMemoryError("injected: no heap for the value");
            case "stack" -> new StackOverflowError("injected");
            case "link" -> new NoClassDefFoundError("injected");
            default -> new AssertionError("injected");
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"heap", "stack", "link", "other"})
    void any_error_while_the_value_is_read_completes_the_stage(String name) throws Exception {
        reopen(config -> config.serializer(throwing(() -> error(name))));
        CountDownLatch release = new CountDownLatch(1);
        try (Batch b = ray.startBatch()) {
            RayFunc0<Value> late = () -> {
                release.await(SOON.toSeconds(), TimeUnit.SECONDS);
                return new Value(1);
            };
            CompletableFuture<Value> before = b.task(late).remote().stage().toCompletableFuture();
            assertThat(before).isNotDone();
            release.countDown();
            assertThatThrownBy(() -> before.get(20, TimeUnit.SECONDS))
                    .isInstanceOf(ExecutionException.class).hasStackTraceContaining("injected");
            // there already: it fails in the caller's thread, and in the stage
            assertThat(b.put(new Value(2)).stage().toCompletableFuture()).isCompletedExceptionally();
        }
    }

    @Test
    void a_stage_that_is_completed_otherwise_leaves_no_waiter() {
        MappedStore memory = MappedStore.of(ray.client());
        int tokens = Wakeups.count();
        try (Batch b = ray.startBatch()) {
            ObjectWriter writer = b.create(1);
            ObjectRef<byte[]> ref = writer.ref();
            List<CompletableFuture<byte[]>> stages = new ArrayList<>();
            for (int n = 0; n < 1000; n++) {
                CompletableFuture<byte[]> stage = ref.stage().toCompletableFuture();
                assertThat(memory.isAwaited()).isTrue();
                switch (n % 4) {
                    case 0 -> stage.cancel(false);
                    case 1 -> stage.complete(null);
                    case 2 -> stage.completeExceptionally(new IllegalStateException("given up"));
                    default -> {
                        stage.orTimeout(1, TimeUnit.NANOSECONDS);
                        assertThatThrownBy(stage::join).hasStackTraceContaining("Timeout");
                        // the thread that times it out releases the token just afterwards
                        eventually(() -> !memory.isAwaited());
                    }
                }
                assertThat(memory.isAwaited()).as("stage %d is not waited for in the store", n).isFalse();
                stages.add(stage);
            }
            assertThat(Wakeups.count()).as("tokens of 1000 stages").isLessThan(tokens + 100);
            CompletableFuture<byte[]> last = ref.stage().toCompletableFuture();
            writer.put(0, new byte[] {7});
            writer.seal();
            assertThat(join(last)).containsExactly(7);
            assertThat(stages).allMatch(CompletableFuture::isDone);
            eventually(() -> !memory.isAwaited());
        }
    }

    @Test
    void the_end_of_a_batch_that_is_waited_for_no_longer_leaves_none_either() {
        CountDownLatch release = new CountDownLatch(1);
        int tokens = Wakeups.count();
        RayFunc0<Integer> late = () -> {
            release.await(SOON.toSeconds(), TimeUnit.SECONDS);
            return 1;
        };
        for (long id = 1; id <= 200; id++) {
            ray.startBatch(id).task(late).remote();
            CompletableFuture<GcResult> over = ray.endBatchAsync(id, true).toCompletableFuture();
            assertThat(over).isNotDone();
            over.cancel(false);
        }
        assertThat(Wakeups.count()).as("tokens of 200 stages").isLessThan(tokens + 100);
        release.countDown();
        ray.setCurrentBatch(0);
    }

    private static void eventually(Supplier<Boolean> holds) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!holds.get()) {
            assertThat(System.nanoTime()).as("in time").isLessThan(end);
            Thread.yield();
        }
    }
}
