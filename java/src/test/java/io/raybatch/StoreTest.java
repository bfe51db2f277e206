package io.raybatch;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

/** A test with a store of its own, whose sums must add up when the test is over. */
abstract class StoreTest {

    static final Duration SOON = Duration.ofSeconds(20);
    static final Duration A_MOMENT = Duration.ofMillis(30);

    RayApi ray;

    @BeforeEach
    void openStore() {
        ray = open(config -> config);
    }

    @AfterEach
    void everyByteIsAccountedFor() {
        try {
            if (!ray.isClosed()) {
                ray.setCurrentBatch(0);
                ray.internal().audit();
            }
        } finally {
            ray.close();
        }
    }

    /** A store of 64 MiB, unless told otherwise. */
    static RayApi open(UnaryOperator<RayConfig.Builder> how) {
        return RayApi.open(how.apply(RayConfig.builder().storeSize("64m")).build());
    }

    /** Closes the test's store and opens another. */
    void reopen(UnaryOperator<RayConfig.Builder> how) {
        ray.close();
        ray = open(how);
    }

    /** Where the project lies. */
    static Path project() {
        return Path.of(System.getProperty("raybatch.root", "."));
    }

    /** The same bytes for the same seed. */
    static byte[] bytes(long seed, int length) {
        byte[] bytes = new byte[length];
        new Random(seed * 1_000_003 + length).nextBytes(bytes);
        return bytes;
    }

    ObjectRef<byte[]> seal(ObjectWriter writer, byte[] data) {
        writer.put(0, data);
        return writer.seal();
    }

    /** Runs in a thread of its own. */
    static <T> CompletableFuture<T> inThread(Callable<T> work) {
        CompletableFuture<T> result = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                result.complete(work.call());
            } catch (Throwable e) {
                result.completeExceptionally(e);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return result;
    }

    /** The result, or what was thrown. */
    static <T> T join(CompletableFuture<T> work) {
        try {
            return work.orTimeout(SOON.toSeconds(), java.util.concurrent.TimeUnit.SECONDS).join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof RuntimeException thrown) {
                throw thrown;
            }
            throw e;
        }
    }

    static void sleep(Duration time) {
        try {
            Thread.sleep(time.toMillis());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
