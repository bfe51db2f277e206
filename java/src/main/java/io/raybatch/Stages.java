package io.raybatch;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Completes a stage when something is there that the store wakes for, without a thread that waits for it. A stage that is completed
 * otherwise, by a timeout, a cancellation or its user, is waited for no longer: its token and what that refers to are released at once.
 */
final class Stages<T> implements Runnable {

    /** What a stage waits for. */
    interface Source<T> {

        /** Has a token woken, once, when it may be there. */
        void watch(long token);

        /** Completes the stage if it is there. */
        void complete(CompletableFuture<T> stage);
    }

    private final RayApi ray;
    private final Source<T> source;
    private final CompletableFuture<T> stage = new CompletableFuture<>();
    private final long token;

    private Stages(RayApi ray, Source<T> source) {
        this.ray = ray;
        this.source = source;
        this.token = Wakeups.register(this);
    }

    /** A stage of an object's value. */
    static <T> CompletionStage<T> of(RayApi ray, ObjectRef<T> ref) {
        return of(ray, new Source<T>() {
            @Override
            public void watch(long token) {
                Native.watch(ray.client(), ref.id().toBytes(), token);
            }

            @Override
            public void complete(CompletableFuture<T> stage) {
                Object value = ray.reader().tryGet(ref);
                if (value != Values.ABSENT) {
                    stage.complete(ref.cast(value));
                }
            }
        });
    }

    static <T> CompletionStage<T> of(RayApi ray, Source<T> source) {
        Stages<T> stages = new Stages<>(ray, source);
        // whoever completes it: the store, a timeout, its user
        stages.stage.whenComplete((value, thrown) -> stages.forget());
        stages.look();
        return stages.stage;
    }

    /** Woken by the native side, which must not be called back from there. */
    @Override
    public void run() {
        try {
            Background.run(this::look);
        } catch (Throwable noThread) {
            // nobody wakes it again
            stage.completeExceptionally(noThread);
        }
    }

    /** Asks to be woken and then looks, so that nothing is missed in between. */
    private void look() {
        if (stage.isDone()) {
            return;
        }
        try {
            source.watch(token);
            source.complete(stage);
        } catch (Throwable e) {
            // an Error as well: a stage that never completes tells nobody of it
            stage.completeExceptionally(e);
        }
        if (stage.isDone()) {
            // it may have been completed, and forgotten, before it was watched
            forget();
        }
    }

    private void forget() {
        Wakeups.forget(token);
        Reader.unwatch(ray.client(), token);
    }
}
