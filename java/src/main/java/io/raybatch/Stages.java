package io.raybatch;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Completes a stage when something is there that the store wakes for, without a thread that waits for it. A stage that is completed
 * otherwise, by a timeout, a cancellation or its user, is waited for no longer: its token and what that refers to are released at once.
 */
final class Stages<T> implements Runnable {

    /** What a stage waits for. */
    interface Source<T> extends AutoCloseable {

        /** Has a token woken, once, when it may be there. */
        void watch(long token);

        /** {@return it, a {@code T}; {@link Values#ABSENT} if it is not there} */
        Object poll();

        /** The stage is completed. */
        @Override
        void close();
    }

    private final RayApi ray;
    private final Source<T> source;
    private final CompletableFuture<T> stage = new CompletableFuture<>();
    private final long token;
    /** Finds the value's classes, on whichever thread it is read. */
    private final ClassLoader loader = Thread.currentThread().getContextClassLoader();
    /** Set by the thread that completes the stage: what others find after that counts no more, the source being closed. */
    private final AtomicBoolean decided = new AtomicBoolean();
    private final AtomicBoolean forgotten = new AtomicBoolean();
    /** The engine that was told of a wait; null when none was. */
    private final Engine engine;

    private Stages(RayApi ray, Source<T> source) {
        this.ray = ray;
        this.source = source;
        this.token = Wakeups.register(this);
        this.engine = ray.tasks().engineIfStarted();
        if (engine != null) {
            // a thread that joins the stage is not known, nor what it holds
            engine.waitsOutside(true);
        }
    }

    /** A stage of an object's value. */
    static <T> CompletionStage<T> of(RayApi ray, ObjectRef<T> ref) {
        try {
            ref.checkIsOf(ray);
            return of(ray, new OfObject<>(ray, ref, Claim.on(ray, ref)));
        } catch (RayException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    static <T> CompletionStage<T> of(RayApi ray, Source<T> source) {
        Stages<T> stages = new Stages<>(ray, source);
        stages.look();
        if (!stages.stage.isDone()) {
            // also when it is given up: by a timeout, or by a caller that cancels it
            stages.stage.whenComplete((value, thrown) -> stages.forget());
        }
        return stages.stage;
    }

    /** An object's value. What it asks for now it receives, also when the batch is collected before it has read it. */
    private record OfObject<T>(RayApi ray, ObjectRef<T> ref, Claim claim) implements Source<T> {

        @Override
        public void watch(long token) {
            Native.watch(ray.client(), ref.id().toBytes(), token);
        }

        @Override
        public Object poll() {
            Object value = ray.reader().tryGet(ref, claim);
            return value == Values.ABSENT ? value : ref.cast(value);
        }

        @Override
        public void close() {
            claim.close();
        }
    }

    /** Woken by the native side, which must not be called back from there. */
    @Override
    public void run() {
        try {
            Background.run(() -> {
                Thread thread = Thread.currentThread();
                ClassLoader own = thread.getContextClassLoader();
                thread.setContextClassLoader(loader);
                try {
                    look();
                } finally {
                    thread.setContextClassLoader(own);
                }
            });
        } catch (Throwable noThread) {
            // nobody wakes it again
            fail(noThread);
        }
    }

    /** Asks to be woken and then looks, so that nothing is missed in between. */
    @SuppressWarnings("unchecked")
    private void look() {
        if (stage.isDone()) {
            return;
        }
        try {
            source.watch(token);
            Object value = source.poll();
            if (value != Values.ABSENT && decided.compareAndSet(false, true)) {
                forget();
                stage.complete((T) value);
            }
        } catch (Throwable e) {
            // an Error as well: a stage that never completes hides it
            fail(e);
        } finally {
            if (forgotten.get()) {
                // it was given up before it asked to be woken
                Reader.unwatch(ray.client(), token);
            }
        }
    }

    private void fail(Throwable why) {
        if (decided.compareAndSet(false, true)) {
            forget();
            stage.completeExceptionally(why);
        }
    }

    private void forget() {
        if (!forgotten.compareAndSet(false, true)) {
            return;
        }
        Wakeups.forget(token);
        Reader.unwatch(ray.client(), token);
        source.close();
        if (engine != null) {
            engine.waitsOutside(false);
        }
    }
}
