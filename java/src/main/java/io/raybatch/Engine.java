package io.raybatch;

import java.time.Duration;

/**
 * What runs tasks. The face, {@link TaskCaller} and {@link RayApi}, knows no more of it than this, so that a cluster's engine can
 * stand here as well as the {@linkplain EmbeddedEngine embedded one}: one that sends a function away serializes it, which
 * is why functions are {@code Serializable}.
 *
 * <p>An engine serves all clients of a store. Nothing here waits, but {@link #submit} for room and {@link #close} for what runs.
 */
interface Engine extends AutoCloseable {

    /** In place of a number of results: what the task returns is the one result. */
    int AS_IT_IS = 0;

    /**
     * Submits a task. Its results are sealed in the slots from the one returned on, or failures in their place, whatever
     * becomes of it.
     *
     * @param scope the batch; null for normal mode
     * @param returns how many results its value is taken apart into, or {@link #AS_IT_IS}
     * @return the first result's slot
     */
    long submit(BatchScope scope, TaskCaller<?> call, int returns);

    /**
     * Creates an actor.
     *
     * @param scope the batch that owns it; null for normal mode
     */
    <A> ActorHandle<A> create(BatchScope scope, ActorCreator<A> call);

    /** {@return why a task failed, if that may not have been stored; or null} */
    byte[] spareFailure(long batch, long task);

    /**
     * Has an actor saved, after the tasks that the caller submitted to it before.
     *
     * @return the slot of a null that is sealed when it is done
     */
    long checkpoint(BatchScope scope, ActorHandle<?> actor);

    /** Cancels the task of a result; true if it was not over. */
    boolean cancel(ObjectRef<?> ref);

    /** Cancels an actor's tasks that are not over. */
    void cancel(ActorHandle<?> actor);

    /** Ends a batch as cancelled, with all its tasks. */
    void cancel(RayApi ray, long batch, long life);

    /** Ends an actor's instance, or the actor. */
    void kill(ActorHandle<?> actor, boolean forGood);

    /** Makes another batch (0: the parent of {@code from}) the owner of actors that {@code from} owns. */
    void keep(RayApi ray, int[] actors, BatchScope from, long to, long toLife);

    /** Takes the actors that a batch used back to what they were at its beginning. */
    void rollback(RayApi ray, long batch, long life);

    /**
     * Has objects made again that are lost.
     *
     * @param ids 20 bytes each
     * @return for each {@link Native#REMAKE_NEEDLESS}, {@link Native#REMAKE_WAIT} or {@link Native#REMAKE_NEVER}
     */
    byte[] remake(RayApi ray, byte[] ids);

    /** Gives up objects' bytes, and those of arguments that nobody else needs; how many. */
    int freeRecursive(RayApi ray, byte[] ids);

    /** {@code {objects, bytes, deferred}} of a batch's collection, when its tasks are over; null before. */
    long[] over(RayApi ray, long batch, long life);

    /** Has {@link Wakeups} wake a token once the batch is over. */
    void whenOver(RayApi ray, long batch, long life, long token);

    /** As {@link Native#taskStatus}. */
    Object[] status(RayApi ray, long batch, long life);

    /** How far the making of an object is, in words. */
    String describe(RayApi ray, ObjectId id);

    /** Which tasks of a batch are not over, and what they wait for, in words. */
    String describe(RayApi ray, long batch, long life);

    /**
     * A thread that runs no task of this engine begins to wait for one, or ends that wait. Tasks whose threads wait, in turn, for
     * such a thread lend their cpus meanwhile.
     */
    void waitsOutside(boolean begins);

    /** A client has closed: who waits for room to {@link #submit} for it is told. */
    void left(RayApi ray);

    /** Releases the batches that it keeps reachable for tasks that are over. */
    void releaseIdle();

    /** How long a task that is cancelled may go on. */
    Duration grace();

    /** Cancels what runs, and gives up what does not end within {@link #grace}. */
    @Override
    void close();
}
