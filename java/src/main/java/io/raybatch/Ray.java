package io.raybatch;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * {@link RayApi} with one store for the whole process: the same methods, static. The store is opened by
 * {@link #init()}, or by the first call that needs it, as the system properties of {@link RayConfig} say. After {@link #shutdown()}
 * only {@code init} opens one.
 *
 * <pre>{@code
 * Ray.init();
 * Ray.startBatch(jobId);
 * ...
 * Ray.endBatch(jobId);
 * if (res.doGc) {
 *     Ray.gc(jobId);
 * }
 * }</pre>
 */
@SuppressWarnings("overloads")
public final class Ray extends RayCalls {

    /** Null while there is none. Written under the class's lock. */
    private static volatile RayApi instance;

    /** From {@link #shutdown()} to {@link #init()}. Guarded by the class. */
    private static boolean shutDown;

    private Ray() {}

    /** Opens the store if it is not open, also after {@link #shutdown()}. */
    public static synchronized void init() {
        if (!isInitialized()) {
            opened(RayApi.open());
        }
    }

    private static void opened(RayApi open) {
        instance = open;
        shutDown = false;
    }

    /**
     * Opens the store.
     *
     * @param config how
     * @throws StoreOpenException when it is open: {@link #shutdown()} comes first
     */
    public static synchronized void init(RayConfig config) {
        if (isInitialized()) {
            throw new StoreOpenException(
                    "Ray is initialized already, with " + instance + ": call Ray.shutdown() first", ErrorDetails.NONE);
        }
        opened(RayApi.open(config));
    }

    /**
     * Closes the store. Idempotent. From then on all other methods throw {@link RayClosedException}, until {@link #init()} opens a new
     * one: what comes late must not open a store that nobody closes.
     */
    public static synchronized void shutdown() {
        RayApi open = instance;
        instance = null;
        shutDown = true;
        if (open != null) {
            open.close();
        }
    }

    /** {@return true while the store is open} */
    public static boolean isInitialized() {
        RayApi open = instance;
        return open != null && !open.isClosed();
    }

    /**
     * The client behind these methods, opened if none ever was.
     *
     * @return it
     * @throws RayClosedException after {@link #shutdown()}, or when the client was closed by itself
     */
    public static RayApi instance() {
        RayApi open = instance;
        if (open != null && !open.isClosed()) {
            return open;
        }
        synchronized (Ray.class) {
            if (!isInitialized()) {
                if (shutDown || instance != null) {
                    throw new RayClosedException("Ray was shut down: Ray.init() opens a new store", ErrorDetails.NONE);
                }
                opened(RayApi.open());
            }
            return instance;
        }
    }

    // Every method is that of RayApi with the same name and parameters, and is documented there.

    /**
     * Starts a batch in the current one. See {@link RayApi#startBatch()}.
     *
     * @return the batch
     */
    public static Batch startBatch() {
        return instance().startBatch();
    }

    /**
     * Starts a batch with an id of the caller's. See {@link RayApi#startBatch(long)}.
     *
     * @param id of the batch
     * @return the batch
     */
    public static Batch startBatch(long id) {
        return instance().startBatch(id);
    }

    /**
     * Starts a batch. See {@link RayApi#startBatch(BatchOptions)}.
     *
     * @param options name, id, parent, limits
     * @return the batch
     */
    public static Batch startBatch(BatchOptions options) {
        return instance().startBatch(options);
    }

    /**
     * Ends a batch and collects nothing. See {@link RayApi#endBatch(long)}.
     *
     * @param id of the batch
     * @return what was released
     */
    public static GcResult endBatch(long id) {
        return instance().endBatch(id);
    }

    /**
     * Ends a batch. See {@link RayApi#endBatch(long, boolean)}.
     *
     * @param id of the batch
     * @param collect whether to release all it owns
     * @return what was released
     */
    public static GcResult endBatch(long id, boolean collect) {
        return instance().endBatch(id, collect);
    }

    /**
     * Ends a batch and collects all but what is kept. See {@link RayApi#endBatch(long, ObjectRef...)}.
     *
     * @param id of the batch
     * @param keep objects of that batch
     * @return what was released
     */
    public static GcResult endBatch(long id, ObjectRef<?>... keep) {
        return instance().endBatch(id, keep);
    }

    /**
     * Ends a batch, without waiting for its tasks. See {@link RayApi#endBatchAsync(long)}.
     *
     * @param id of the batch
     * @return completes when the last task is over
     */
    public static CompletionStage<GcResult> endBatchAsync(long id) {
        return instance().endBatchAsync(id);
    }

    /**
     * Ends a batch, without waiting for its tasks. See {@link RayApi#endBatchAsync(long, boolean)}.
     *
     * @param id of the batch
     * @param collect whether to release all it owns
     * @return completes when the last task is over
     */
    public static CompletionStage<GcResult> endBatchAsync(long id, boolean collect) {
        return instance().endBatchAsync(id, collect);
    }

    /**
     * Ends a batch and collects all but what is kept, without waiting for its tasks. See
     * {@link RayApi#endBatchAsync(long, ObjectRef...)}.
     *
     * @param id of the batch
     * @param keep objects of that batch
     * @return completes when the last task is over
     */
    public static CompletionStage<GcResult> endBatchAsync(long id, ObjectRef<?>... keep) {
        return instance().endBatchAsync(id, keep);
    }

    /**
     * Collects an ended batch. See {@link RayApi#gc(long)}.
     *
     * @param id of the batch
     * @return what was released
     */
    public static GcResult gc(long id) {
        return instance().gc(id);
    }

    /**
     * Reserves a batch id. See {@link RayApi#newBatchId()}.
     *
     * @return see there
     */
    public static long newBatchId() {
        return instance().newBatchId();
    }

    /**
     * Tells which batch is current in the calling thread. See {@link RayApi#currentBatch()}.
     *
     * @return see there
     */
    public static long currentBatch() {
        return instance().currentBatch();
    }

    /**
     * Makes a batch current in the calling thread. See {@link RayApi#setCurrentBatch(long)}.
     *
     * @param id of the batch
     */
    public static void setCurrentBatch(long id) {
        instance().setCurrentBatch(id);
    }

    /**
     * Ends a batch if it is open, and collects it. See {@link RayApi#destroyBatch(long)}.
     *
     * @param id of the batch
     * @return what was released
     */
    public static GcResult destroyBatch(long id) {
        return instance().destroyBatch(id);
    }

    /**
     * Ends a batch if it is open, and collects it. See {@link RayApi#destroyBatch(long, boolean)}.
     *
     * @param id of the batch
     * @param checkpoint whether actors are checkpointed first
     * @return what was released
     */
    public static GcResult destroyBatch(long id, boolean checkpoint) {
        return instance().destroyBatch(id, checkpoint);
    }

    /**
     * Takes the actors that a batch used back to what they were at its beginning. See {@link RayApi#rollback(Batch)}.
     *
     * @param batch open or ended
     */
    public static void rollback(Batch batch) {
        instance().rollback(batch);
    }

    /**
     * Makes a batch the owner of an object. See {@link RayApi#transferOwnership(ObjectRef, long)}.
     *
     * @param ref of the object
     * @param batchId of a batch; 0 for normal mode
     */
    public static void transferOwnership(ObjectRef<?> ref, long batchId) {
        instance().transferOwnership(ref, batchId);
    }

    /**
     * Describes a batch. See {@link RayApi#status(long)}.
     *
     * @param id of the batch
     * @return its state now
     */
    public static BatchStatus status(long id) {
        return instance().status(id);
    }

    /**
     * Describes all batches that are not collected yet. See {@link RayApi#batches()}.
     *
     * @return oldest first
     */
    public static List<BatchStatus> batches() {
        return instance().batches();
    }

    /**
     * Puts a value into the current batch. See {@link RayApi#put(Object)}.
     *
     * @param value not null
     * @param <T> type of the value
     * @return a reference
     */
    public static <T> ObjectRef<T> put(T value) {
        return instance().put(value);
    }

    /**
     * Gets a value. See {@link RayApi#get(ObjectRef)}.
     *
     * @param ref of the object
     * @param <T> type of the value
     * @return a copy
     */
    public static <T> T get(ObjectRef<T> ref) {
        return instance().get(ref);
    }

    /**
     * Gets a value. See {@link RayApi#get(ObjectRef, Duration)}.
     *
     * @param ref of the object
     * @param timeout at most
     * @param <T> type of the value
     * @return a copy
     */
    public static <T> T get(ObjectRef<T> ref, Duration timeout) {
        return instance().get(ref, timeout);
    }

    /**
     * Gets several values. See {@link RayApi#get(Collection)}.
     *
     * @param refs of the objects
     * @param <T> type of the value
     * @return copies, in the same order
     */
    public static <T> List<T> get(Collection<? extends ObjectRef<? extends T>> refs) {
        return instance().get(refs);
    }

    /**
     * Gets several values. See {@link RayApi#get(Collection, Duration)}.
     *
     * @param refs of the objects
     * @param timeout at most
     * @param <T> type of the value
     * @return copies, in the same order
     */
    public static <T> List<T> get(Collection<? extends ObjectRef<? extends T>> refs, Duration timeout) {
        return instance().get(refs, timeout);
    }

    /**
     * Waits until some of several objects are ready. See {@link RayApi#wait(Collection, int, Duration)}.
     *
     * @param refs of the objects
     * @param count how many to wait for
     * @param timeout at most
     * @param <T> type of the value
     * @return which are ready and which are not
     */
    public static <T> WaitResult<T> wait(Collection<ObjectRef<T>> refs, int count, Duration timeout) {
        return instance().wait(refs, count, timeout);
    }

    /**
     * Gives up objects' bytes, as a hint. See {@link RayApi#free(Collection)}.
     *
     * @param refs of the objects
     * @return how many
     */
    public static int free(Collection<? extends ObjectRef<?>> refs) {
        return instance().free(refs);
    }

    /**
     * Gives up objects' bytes, as a hint. See {@link RayApi#free(ObjectRef...)}.
     *
     * @param refs of the objects
     * @return how many
     */
    public static int free(ObjectRef<?>... refs) {
        return instance().free(refs);
    }

    /**
     * Gives up objects' bytes, and those of arguments that nobody else needs. See {@link RayApi#free(Collection, boolean)}.
     *
     * @param refs of the objects
     * @param recursive whether arguments go, too
     * @return how many
     */
    public static int free(Collection<? extends ObjectRef<?>> refs, boolean recursive) {
        return instance().free(refs, recursive);
    }

    /**
     * Cancels the task of a result. See {@link RayApi#cancel(ObjectRef)}.
     *
     * @param ref one of its results
     * @return true if it was not over
     */
    public static boolean cancel(ObjectRef<?> ref) {
        return instance().cancel(ref);
    }

    /**
     * Cancels an actor's tasks. See {@link RayApi#cancel(ActorHandle)}.
     *
     * @param actor whose tasks
     */
    public static void cancel(ActorHandle<?> actor) {
        instance().cancel(actor);
    }

    /**
     * Ends a batch as cancelled. See {@link RayApi#cancel(Batch)}.
     *
     * @param batch to end
     */
    public static void cancel(Batch batch) {
        instance().cancel(batch);
    }

    /**
     * Has an actor saved. See {@link RayApi#checkpoint(ActorHandle)}.
     *
     * @param actor that is {@link Checkpointable}
     * @return comes when it is done
     */
    public static ObjectRef<Void> checkpoint(ActorHandle<?> actor) {
        return instance().checkpoint(actor);
    }

    /**
     * Ends an actor's instance. See {@link RayApi#kill(ActorHandle)}.
     *
     * @param actor to kill
     */
    public static void kill(ActorHandle<?> actor) {
        instance().kill(actor);
    }

    /**
     * Ends an actor's instance, or the actor. See {@link RayApi#kill(ActorHandle, boolean)}.
     *
     * @param actor to kill
     * @param noRestart true to end the actor for good
     */
    public static void kill(ActorHandle<?> actor, boolean noRestart) {
        instance().kill(actor, noRestart);
    }

    /**
     * Deletes objects. See {@link RayApi#delete(Collection)}.
     *
     * @param refs of the objects
     * @return how many
     */
    public static int delete(Collection<? extends ObjectRef<?>> refs) {
        return instance().delete(refs);
    }

    /**
     * Deletes objects. See {@link RayApi#delete(ObjectRef...)}.
     *
     * @param refs of the objects
     * @return how many
     */
    public static int delete(ObjectRef<?>... refs) {
        return instance().delete(refs);
    }

    /**
     * Deletes objects. See {@link RayApi#delete(ObjectId...)}.
     *
     * @param ids of the objects
     * @return how many
     */
    public static int delete(ObjectId... ids) {
        return instance().delete(ids);
    }

    /**
     * Tells whether an object is there. See {@link RayApi#contains(ObjectRef)}.
     *
     * @param ref of the object
     * @return true if it is sealed and there
     */
    public static boolean contains(ObjectRef<?> ref) {
        return instance().contains(ref);
    }

    /**
     * Tells whether an object is there. See {@link RayApi#contains(ObjectId)}.
     *
     * @param id of the object
     * @return true if it is sealed and there
     */
    public static boolean contains(ObjectId id) {
        return instance().contains(id);
    }

    /**
     * Creates an object to be written piece by piece. See {@link RayApi#create(long)}.
     *
     * @param size bytes of data
     * @return its writer
     */
    public static ObjectWriter create(long size) {
        return instance().create(size);
    }

    /**
     * Creates an object with metadata. See {@link RayApi#create(long, byte[])}.
     *
     * @param size bytes of data
     * @param metadata kept beside the data
     * @return its writer
     */
    public static ObjectWriter create(long size, byte[] metadata) {
        return instance().create(size, metadata);
    }

    /**
     * Creates an object of normal mode under the caller's id. See {@link RayApi#create(ObjectId, long)}.
     *
     * @param id of the object
     * @param size bytes of data
     * @return its writer
     */
    public static ObjectWriter create(ObjectId id, long size) {
        return instance().create(id, size);
    }

    /**
     * Creates an object of normal mode under the caller's id. See {@link RayApi#create(ObjectId, long, byte[])}.
     *
     * @param id of the object
     * @param size bytes of data
     * @param metadata kept beside the data
     * @return its writer
     */
    public static ObjectWriter create(ObjectId id, long size, byte[] metadata) {
        return instance().create(id, size, metadata);
    }

    /**
     * Seals an object whose writer was released. See {@link RayApi#seal(ObjectId)}.
     *
     * @param id of the object
     */
    public static void seal(ObjectId id) {
        instance().seal(id);
    }

    /**
     * Gives up an object whose writer was released. See {@link RayApi#abort(ObjectId)}.
     *
     * @param id of the object
     */
    public static void abort(ObjectId id) {
        instance().abort(id);
    }

    /**
     * Opens an object for reading where it lies. See {@link RayApi#read(ObjectRef)}.
     *
     * @param ref of the object
     * @return to be closed
     */
    public static ObjectView read(ObjectRef<?> ref) {
        return instance().read(ref);
    }

    /**
     * Opens an object for reading where it lies. See {@link RayApi#read(ObjectId)}.
     *
     * @param id of the object
     * @return to be closed
     */
    public static ObjectView read(ObjectId id) {
        return instance().read(id);
    }

    /**
     * Lists all objects. See {@link RayApi#list()}.
     *
     * @return sealed or not
     */
    public static List<ObjectInfo> list() {
        return instance().list();
    }

    /**
     * Lists the objects of one batch. See {@link RayApi#list(long)}.
     *
     * @param batchId of a batch; 0 for normal mode
     * @return sealed or not
     */
    public static List<ObjectInfo> list(long batchId) {
        return instance().list(batchId);
    }

    /**
     * Listens to the store. See {@link RayApi#subscribe()}.
     *
     * @return to be closed
     */
    public static Subscription subscribe() {
        return instance().subscribe();
    }

    /**
     * Listens to the store. See {@link RayApi#subscribe(int)}.
     *
     * @param queue how many events may wait to be taken
     * @return to be closed
     */
    public static Subscription subscribe(int queue) {
        return instance().subscribe(queue);
    }

    /**
     * Listens to the store. See {@link RayApi#subscribe(Executor, Consumer)}.
     *
     * @param executor where the listener is called
     * @param listener for events
     * @return to be closed
     */
    public static Subscription subscribe(Executor executor, Consumer<ObjectEvent> listener) {
        return instance().subscribe(executor, listener);
    }

    /**
     * Listens to the store. See {@link RayApi#subscribe(int, Executor, Consumer)}.
     *
     * @param queue how many events may wait
     * @param executor where the listener is called
     * @param listener for events
     * @return to be closed
     */
    public static Subscription subscribe(int queue, Executor executor, Consumer<ObjectEvent> listener) {
        return instance().subscribe(queue, executor, listener);
    }

    /**
     * Evicts objects of normal mode. See {@link RayApi#evict(long)}.
     *
     * @param bytes how much to free
     * @return see there
     */
    public static long evict(long bytes) {
        return instance().evict(bytes);
    }

    /**
     * Hashes an object's data and metadata. See {@link RayApi#hash(ObjectRef)}.
     *
     * @param ref of the object
     * @return see there
     */
    public static long hash(ObjectRef<?> ref) {
        return instance().hash(ref);
    }

    /**
     * Hashes an object's data and metadata. See {@link RayApi#hash(ObjectId)}.
     *
     * @param id of the object
     * @return see there
     */
    public static long hash(ObjectId id) {
        return instance().hash(id);
    }

    /**
     * Makes a reference of an id that arrived from outside. See {@link RayApi#ref(ObjectId, Class)}.
     *
     * @param id of the object
     * @param type of the value
     * @param <T> type of the value
     * @return a reference
     */
    public static <T> ObjectRef<T> ref(ObjectId id, Class<T> type) {
        return instance().ref(id, type);
    }

    /**
     * Makes an outermost group of batches, or finds it. See {@link RayApi#group(String)}.
     *
     * @param name such as a user's
     * @return the group
     */
    public static ResourceGroup group(String name) {
        return instance().group(name);
    }

    /**
     * Lists the groups of the store. See {@link RayApi#groups()}.
     *
     * @return all, an outer one before those within it
     */
    public static List<GroupStatus> groups() {
        return instance().groups();
    }

    /**
     * Describes the store as a whole. See {@link RayApi#stats()}.
     *
     * @return figures
     */
    public static StoreStats stats() {
        return instance().stats();
    }

    /**
     * As {@link RayApi#memory()}.
     *
     * @return a report
     */
    public static MemoryReport memory() {
        return instance().memory();
    }

    /**
     * What most programs never need. See {@link RayApi#internal()}.
     *
     * @return an instance
     */
    public static RayInternals internal() {
        return instance().internal();
    }

    /**
     * Tells when memory becomes short, and when it is not any more: some milliseconds later, in a thread of its own, with no
     * lock held. The listener is told of the level it begins at, unless that is {@link Pressure.Level#NORMAL}.
     *
     * @param listener may use this client; what it throws is logged
     * @return ends it, when closed; the client's end ends it, too
     */
    public static AutoCloseable onPressure(Consumer<Pressure> listener) {
        return instance().onPressure(listener);
    }
}
