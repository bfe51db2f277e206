package io.raybatch;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Completes a stage with an object's value, without a thread that waits for it. */
final class Stages<T> implements Runnable {

    private final RayApi ray;
    private final ObjectRef<T> ref;
    private final CompletableFuture<T> stage = new CompletableFuture<>();
    private final long token;
    /** Finds the value's classes, on whichever thread it is read. */
    private final ClassLoader loader = Thread.currentThread().getContextClassLoader();

    private Stages(RayApi ray, ObjectRef<T> ref) {
        this.ray = ray;
        this.ref = ref;
        this.token = Wakeups.register(this);
    }

    static <T> CompletionStage<T> of(RayApi ray, ObjectRef<T> ref) {
        Stages<T> stages = new Stages<>(ray, ref);
        stages.look();
        return stages.stage;
    }

    /** Woken by the native side, which must not be called back from there. */
    @Override
    public void run() {
        Background.run(() -> {
            Thread.currentThread().setContextClassLoader(loader);
            try {
                look();
            } finally {
                Thread.currentThread().setContextClassLoader(Stages.class.getClassLoader());
            }
        });
    }

    /** Asks to be woken and then looks, so that nothing is missed in between. */
    private void look() {
        if (stage.isDone()) {
            return;
        }
        try {
            Native.watch(ray.client(), ref.id().toBytes(), token);
            Object value = ray.reader().tryGet(ref);
            if (value != Values.ABSENT) {
                T typed = ref.cast(value);
                forget();
                stage.complete(typed);
            }
        } catch (RuntimeException e) {
            forget();
            stage.completeExceptionally(e);
        }
    }

    private void forget() {
        Wakeups.forget(token);
        Reader.unwatch(ray.client(), token);
    }
}
