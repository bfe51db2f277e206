package io.raybatch;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;

/** Completes a stage with an object's value, without a thread that waits for it. */
final class Stages<T> implements Runnable {

    private final RayApi ray;
    private final ObjectRef<T> ref;
    private final CompletableFuture<T> stage = new CompletableFuture<>();
    private final long token;
    /** What it asks for now it receives, also when the batch is collected before it has read it. */
    private final Claim claim;
    /** Set by whoever has what completes the stage: others find nothing claimed any more. */
    private final AtomicBoolean decided = new AtomicBoolean();
    /** The engine that was told of a wait; null when none was. */
    private final Engine engine;
    private final AtomicBoolean forgotten = new AtomicBoolean();

    private Stages(RayApi ray, ObjectRef<T> ref, Claim claim) {
        this.ray = ray;
        this.ref = ref;
        this.claim = claim;
        this.token = Wakeups.register(this);
        this.engine = ray.tasks().engineIfStarted();
        if (engine != null) {
            // a thread that joins the stage is not known, nor what it holds
            engine.waitsOutside(true);
        }
    }

    static <T> CompletionStage<T> of(RayApi ray, ObjectRef<T> ref) {
        Claim claim;
        try {
            claim = Claim.on(ray, ref);
        } catch (RayException e) {
            return CompletableFuture.failedFuture(e);
        }
        Stages<T> stages = new Stages<>(ray, ref, claim);
        stages.look();
        if (!stages.stage.isDone()) {
            // by whoever gives it up, too: a timeout, or a caller that cancels it
            stages.stage.whenComplete((value, thrown) -> stages.forget());
        }
        return stages.stage;
    }

    /** Woken by the native side, which must not be called back from there. */
    @Override
    public void run() {
        Background.run(this::look);
    }

    /** Asks to be woken and then looks, so that nothing is missed in between. */
    private void look() {
        if (stage.isDone()) {
            return;
        }
        try {
            Native.watch(ray.client(), ref.id().toBytes(), token);
            Object value = ray.reader().tryGet(ref, claim);
            if (value != Values.ABSENT) {
                T typed = ref.cast(value);
                if (decided.compareAndSet(false, true)) {
                    forget();
                    stage.complete(typed);
                }
            }
        } catch (RuntimeException e) {
            if (decided.compareAndSet(false, true)) {
                forget();
                stage.completeExceptionally(e);
            }
        } finally {
            if (forgotten.get()) {
                // it was given up before it asked to be woken
                Reader.unwatch(ray.client(), token);
            }
        }
    }

    private void forget() {
        if (!forgotten.compareAndSet(false, true)) {
            return;
        }
        Wakeups.forget(token);
        Reader.unwatch(ray.client(), token);
        claim.close();
        if (engine != null) {
            engine.waitsOutside(false);
        }
    }
}
