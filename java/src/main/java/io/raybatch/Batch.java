package io.raybatch;

import java.lang.ref.Reference;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;

/**
 * A set of objects and tasks with one lifetime: what is put in it, and what its tasks make, is released when it is closed, all at
 * once, except what is kept.
 *
 * <p>The handle of one life of one batch. A batch that was started without an id of the caller's is ended and collected
 * as a {@linkplain LeakReport leak} when nobody can reach it any more. Safe for many threads; any thread may end it.
 */
@SuppressWarnings("overloads")
public final class Batch implements TaskCalls, AutoCloseable {

    private final BatchScope scope;
    private final OnFailure onFailure;

    Batch(BatchScope scope, OnFailure onFailure) {
        this.scope = scope;
        this.onFailure = onFailure;
    }

    /** {@return its id} */
    public long id() {
        return scope.id();
    }

    /** {@return its name; empty if it has none} */
    public String name() {
        return scope.name() == null ? "" : scope.name();
    }

    BatchScope scope() {
        return scope;
    }

    private RayApi ray() {
        return scope.ray();
    }

    /**
     * Puts a value into this batch, whatever is current. As {@link RayApi#put}.
     *
     * @param value not null
     * @param <T> its type
     * @return a reference
     * @throws BatchEndedException when the batch has ended
     */
    public <T> ObjectRef<T> put(T value) {
        scope.used();
        return ray().put(scope, value);
    }

    /**
     * Gets a value, of this batch or any other. As {@link RayApi#get(ObjectRef)}.
     *
     * @param ref of it
     * @param <T> its type
     * @return a copy
     */
    public <T> T get(ObjectRef<T> ref) {
        scope.used();
        return ray().get(ref);
    }

    /**
     * Creates an object in this batch, to be written piece by piece.
     *
     * @param size bytes, at most 2^31 - 1
     * @return its writer
     */
    public ObjectWriter create(long size) {
        return create(size, null);
    }

    /**
     * Creates an object in this batch, with metadata.
     *
     * @param size bytes of data, at most 2^31 - 1
     * @param metadata kept beside the data; may be empty or null
     * @return its writer
     */
    public ObjectWriter create(long size, byte[] metadata) {
        scope.used();
        return ray().create(scope, size, metadata);
    }

    /** {@return this batch's objects without an object of Java's for each} */
    public ObjectSlots slots() {
        scope.used();
        return new ObjectSlots(scope);
    }

    /**
     * Starts a batch in this one, whatever is current, and makes it current in the calling thread.
     *
     * @return to be closed
     */
    public Batch startBatch() {
        return ray().startBatch(BatchOptions.builder().parent(this).build());
    }

    /**
     * Makes the batch around this one the owner of objects of this one, at once; their ids stay. Legal before they are
     * sealed. Nothing happens to an object that a batch around this one owns.
     *
     * @param refs of them
     * @throws NotOwnerException for any other object; none is kept then
     */
    public void keep(ObjectRef<?>... refs) {
        keep(Arrays.asList(refs));
    }

    /**
     * Makes the batch around this one the owner of objects of this one, as {@link #keep(ObjectRef...)}.
     *
     * @param refs of them
     * @throws NotOwnerException for any other object; none is kept then
     */
    public void keep(List<? extends ObjectRef<?>> refs) {
        scope.used();
        refs.forEach(ref -> Checks.notNull("a reference", ref).checkIsOf(ray()));
        ray().transfer(ObjectIds.of(refs), scope.id(), scope.life(), 0, 0);
        Reference.reachabilityFence(this);
    }

    /**
     * Makes the batch around this one the owner of objects and of actors of this one, at once, as {@link #keep(ObjectRef...)}. An
     * actor that is not kept dies with its batch.
     *
     * @param refs of objects
     * @param actors that this batch owns
     * @throws NotOwnerException for any other object or actor
     */
    public void keep(List<? extends ObjectRef<?>> refs, List<? extends ActorHandle<?>> actors) {
        keep(refs);
        ray().actors().keep(scope, actors);
    }

    /**
     * Makes the batch around this one the owner of actors of this one, at once.
     *
     * @param actors that this batch owns
     * @throws NotOwnerException for any other actor
     */
    public void keep(ActorHandle<?>... actors) {
        keep(List.of(), Arrays.asList(actors));
    }

    /**
     * Makes another batch the owner of an object. As {@link RayApi#transferOwnership}.
     *
     * @param ref the object
     * @param batchId an open batch; 0 for the root
     */
    public void transferOwnership(ObjectRef<?> ref, long batchId) {
        scope.used();
        ray().transferOwnership(ref, batchId);
    }

    /** {@return its state now} */
    public BatchStatus status() {
        BatchStatus status = ray().status(scope.id(), scope.life());
        Reference.reachabilityFence(this);
        return status;
    }

    /**
     * Ends this batch, inner ones first, and collects nothing. Waits for its tasks, except inside of one.
     *
     * @throws BatchEndedException when it has ended, saying who ended it
     */
    public void end() {
        ray().ends().end(scope.id(), scope.life(), false, false, null);
        Reference.reachabilityFence(this);
    }

    /**
     * As {@link #end()}, without waiting for tasks.
     *
     * @return completes when the batch's last task is over
     */
    public CompletionStage<GcResult> endAsync() {
        return ray().ends().endAsync(scope.id(), scope.life(), false, null);
    }

    /**
     * Ends this batch if it is open, waits for its tasks, and collects it unless it was started with {@code noCleanup}. Inside of
     * a task of this batch, or of one within it, and where the waiting thread is interrupted, it returns at once, and collection
     * follows the last task. In this thread it is current no longer: the
     * batch below it is. Idempotent. Throws nothing, which would hide an exception of the body: what goes wrong is logged.
     */
    @Override
    public void close() {
        finish(this::endFor, Deadline.NEVER);
    }

    /**
     * As {@link #close()}, waiting for tasks for so long at most: then those that are not over are cancelled, and it returns when
     * they have ended, or were given up because they ignore their interrupt.
     *
     * @param timeout zero or more
     * @return true if no task had to be cancelled for the time
     * @throws InvalidArgumentException for a negative timeout, with nothing ended
     */
    public boolean close(Duration timeout) {
        return finish(this::endFor, Deadline.in(Checks.notNull("the timeout", timeout)));
    }

    private void endFor() {
        if (onFailure == OnFailure.CANCEL && ray().tasks().engineIfStarted() != null && status().state().isOpen()) {
            ray().tasks().cancelBatch(scope.id(), scope.life());
        } else {
            Native.closeBatch(ray().client(), scope.id(), scope.life(), Caller.utf8());
        }
    }

    /**
     * Ends this batch if it is open, collects it, and deletes what it kept, unless that was transferred further.
     * Idempotent; also after {@link #close()}. Throws nothing: what goes wrong is logged.
     */
    public void delete() {
        finish(() -> Native.deleteBatch(ray().client(), scope.id(), scope.life(), Caller.name()), Deadline.NEVER);
    }

    /** False if tasks had to be cancelled, as the deadline passed. */
    private boolean finish(Runnable ending, Deadline deadline) {
        ray().current().closed(scope);
        boolean inTime = true;
        try {
            ending.run();
            inTime = ray().ends().awaitOver(scope.id(), scope.life(), deadline);
            if (!inTime) {
                ray().tasks().cancelBatch(scope.id(), scope.life());
                ray().ends().awaitOver(scope.id(), scope.life(), Deadline.NEVER);
            }
        } catch (RayClosedException collectedWithIt) {
            // a client that closes collects its batches
        } catch (RayInterruptedException | TaskCancelledException | BatchTimedOutException followsByItself) {
            // the interrupt flag is set again, and stops the caller at its next wait
        } catch (RuntimeException | Error e) {
            RayLog.error(scope + " could not be closed", e);
        }
        Flight.pass();
        ray().settled(scope);
        return inTime;
    }

    /**
     * Makes this batch current while a task runs, in whatever thread that is.
     *
     * @param task to run
     * @return the task in this batch
     */
    public Runnable wrap(Runnable task) {
        scope.used();
        return () -> ray().current().with(scope, task);
    }

    /**
     * Makes this batch current while a task runs, in whatever thread that is.
     *
     * @param task to call
     * @param <V> type of its result
     * @return the task in this batch
     */
    public <V> Callable<V> wrap(Callable<V> task) {
        scope.used();
        return () -> ray().current().with(scope, task);
    }

    /**
     * Makes this batch current while an executor's tasks run.
     *
     * @param executor to run them
     * @return an executor whose tasks run in this batch
     */
    public Executor wrap(Executor executor) {
        scope.used();
        return task -> executor.execute(wrap(task));
    }

    /** {@return its id and name} */
    @Override
    public String toString() {
        return scope.toString();
    }
}
