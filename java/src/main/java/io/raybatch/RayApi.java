package io.raybatch;

import io.raybatch.flight.FlightEvents;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A client of an object store whose objects live as long as their batch.
 *
 * <pre>{@code
 * try (RayApi ray = RayApi.open(); Batch b = ray.startBatch()) {
 *     ObjectRef<byte[]> x = b.put(bytes);
 *     ...
 *     b.keep(result);          // survives: now owned by the batch around b
 * }                            // everything else of b is gone
 * }</pre>
 *
 * <p>Methods that name no batch work in the batch that is <em>current</em> in the calling thread, or in normal mode
 * where there is none: objects of normal mode live until they are deleted, or evicted because space is short. A current
 * batch that has ended reads as the nearest open one around it.
 *
 * <p>Safe for many threads. Every failure is a {@link RayException}; every method of a closed client throws
 * {@link RayClosedException}. Those methods that wait say so; they can be interrupted, and hold no lock meanwhile.
 */
@SuppressWarnings("overloads")
public final class RayApi implements TaskCalls, AutoCloseable {

    private final long client;
    private final RayConfig config;
    private final String storeName;
    private final long root;
    private final long rootLife;
    private final long normalBase;
    private final long storeIdentity;
    private final boolean ownsStore;
    /** Null where all goes through the native side. */
    private final MappedStore mapped;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final CurrentBatch current = new CurrentBatch(this);
    private final Reader reader = new Reader(this);
    private final Tasks tasks = new Tasks(this);
    private final Actors actors = new Actors(this);
    private final Ends ends = new Ends(this);
    private final Room room = new Room(this);
    private final PressureWatch pressure = new PressureWatch(this);
    private final Subscriptions subscriptions = new Subscriptions(this);
    private final RayInternals internals = new RayInternals(this);
    /** Null for a client that does not own its store. */
    private final Flight flight;
    /** Null in a client that does not own its store. */
    private final Engines engines;
    private final Unclosed unclosed;

    /** batch id → its scope, for batches that end when nobody can reach that */
    private final ConcurrentMap<Long, WeakReference<BatchScope>> tracked = new ConcurrentHashMap<>();

    /** Ids given out by {@link #newBatchId} and not started yet. */
    private final Set<Long> reserved = ConcurrentHashMap.newKeySet();

    private RayApi(long client, RayConfig config) {
        long[] info = Native.clientInfo(client);
        this.client = client;
        this.config = config;
        this.storeName = Native.storeName(client);
        this.root = info[0];
        this.rootLife = info[1];
        this.ownsStore = info[2] != 0;
        this.normalBase = info[3];
        this.storeIdentity = ownsStore ? normalBase : Engines.identityOf(storeName);
        this.mapped = config.directAccess() ? MappedStore.of(client) : null;
        this.flight = ownsStore ? Flight.of(client) : null;
        this.engines = ownsStore ? Engines.opened(this) : null;
        this.unclosed = Unclosed.watch(this, client, flight);
    }

    // ---- opening and closing --------------------------------------------------------------------------------------

    /** {@return a client that owns a new store, as the system properties say; see {@link RayConfig}} */
    public static RayApi open() {
        return open(RayConfig.defaults());
    }

    /**
     * Opens a store, or connects to one.
     *
     * @param config how
     * @return the client
     * @throws NativeLibraryException when the native library cannot be loaded
     * @throws StoreOpenException when the store cannot be opened
     * @throws StoreConnectException when there is none to connect to
     */
    public static RayApi open(RayConfig config) {
        NativeLibrary.ensureLoaded();
        Background.opened();
        boolean opened = false;
        try {
            RayApi ray = opened(config);
            opened = true;
            return ray;
        } finally {
            if (!opened) {
                Background.closed();
            }
        }
    }

    private static RayApi opened(RayConfig config) {
        long client = config.connectTo().isPresent()
                ? Native.connect(config.connectTo().get())
                : Native.open(config.nativeOptions());
        try {
            return new RayApi(client, config);
        } catch (RuntimeException | Error e) {
            Steps.afterFailure(e, () -> Native.close(client, Caller.name()));
            throw e;
        }
    }

    /**
     * Connects a further client to a store that another one of this process owns.
     *
     * @param storeName as the owner's {@link #storeName()}
     * @return the client
     * @throws StoreConnectException when there is none of that name
     */
    public static RayApi connect(String storeName) {
        return open(RayConfig.connect(storeName));
    }

    /** {@return what it was opened with} */
    public RayConfig config() {
        return config;
    }

    /** {@return the store's name, given or chosen} */
    public String storeName() {
        return storeName;
    }

    /** {@return true if closing this closes the store} */
    public boolean ownsStore() {
        return ownsStore;
    }

    /** {@return true once {@link #close()} was called} */
    public boolean isClosed() {
        return closed.get();
    }

    /**
     * Ends and collects this client's batches, lets go of all it holds, aborts what it had not sealed; an owner then
     * closes the store. What waits fails: with a {@link RayClosedException}, or, where a task was to make it, a {@link
     * TaskCancelledException}. Tasks that run are cancelled; an owner waits for them
     * no longer than {@link RayConfig#interruptGrace()}. Idempotent. Buffers of
     * {@link ObjectView#asByteBuffer()} outlive the client; once the store is closed they read as zero.
     */
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            unclosed.closed();
            new Steps()
                    .run(current::close)
                    .run(() -> {
                        if (engines != null) {
                            engines.close();
                        }
                    })
                    .run(() -> Native.close(client, Caller.name()))
                    .run(subscriptions::close)
                    .run(pressure::close)
                    .run(() -> {
                        if (flight != null) {
                            flight.close();
                        }
                    })
                    .run(tasks::left)
                    .run(() -> ForySerializer.forget(config.serializer()))
                    .run(() -> tracked.keySet().forEach(this::settled))
                    .run(Background::closed)
                    .end();
        }
    }

    // ---- batches --------------------------------------------------------------------------------------------------

    /**
     * Starts a batch in the current one, and makes it current in the calling thread.
     *
     * @return to be closed
     */
    public Batch startBatch() {
        return startBatch(BatchOptions.DEFAULTS);
    }

    /**
     * Starts a batch with an id of the caller's, such as a job's, as a child of the root whatever is current, and makes
     * it current in the calling thread. It is held by its id until it is ended: dropping the handle ends nothing.
     *
     * @param id 1 … 2^63 - 1, or one of {@link #newBatchId()}
     * @return the batch, which need not be closed
     * @throws BatchExistsException when one of that id is live
     */
    public Batch startBatch(long id) {
        return startBatch(BatchOptions.builder().id(id).build());
    }

    /**
     * Starts a batch, and makes it current in the calling thread, unless {@link BatchOptions.Builder#notCurrent} says otherwise. Unless
     * a parent is given it lies in the current batch, or, if an id is given, in the root.
     *
     * @param options name, id, parent, limits
     * @return the batch; to be closed, unless it has an id of the caller's
     * @throws BatchExistsException when a batch of that id is live
     * @throws BatchEndedException when the parent has ended, given or current
     * @throws BatchLimitException when its group allows no such priority
     * @throws InvalidArgumentException also for another group than that of the batch around it
     */
    public Batch startBatch(BatchOptions options) {
        TaskContext.checked();
        boolean withId = Checks.notNull("the options", options).id() != 0;
        current.beforeStart(withId);
        BatchScope scope;
        if (options.parent() != null) {
            scope = start(options, checked(options.parent()).scope());
        } else if (options.parentId() != 0) {
            scope = start(options, scopeOf(options.parentId(), 0));
        } else if (withId || options.root()) {
            scope = start(options, null);
        } else {
            scope = inCurrent(parent -> start(options, parent));
        }
        if (!options.notCurrent()) {
            current.started(scope, withId);
        }
        return new Batch(scope, options.onFailure());
    }

    private BatchScope start(BatchOptions o, BatchScope parent) {
        long[] started = new long[4];
        try {
            start(o, parent, started);
        } catch (StoreFullException full) {
            room.waiting(full, () -> start(o, parent, started));
        }
        Reference.reachabilityFence(parent);
        if (Flight.isOn()) {
            String group = o.group() == null ? null : o.group().path();
            FlightEvents.started(started[0], o.name(), parent == null ? root : parent.id(), group);
        }
        if (o.id() != 0) {
            reserved.remove(o.id());
            LeakDetector.startedById(() -> new LeakTracker(client, config, started[0], started[1], o.name(), () -> {}));
            return BatchScope.heldById(this, started[0], started[1], o.name(), parent, region(started, 2));
        }
        long id = started[0];
        ConcurrentMap<Long, WeakReference<BatchScope>> scopes = tracked;
        BatchScope scope = BatchScope.tracked(
                this, id, started[1], o.name(), parent, region(started, 2), () -> scopes.remove(id));
        scopes.put(id, scope.weak());
        return scope;
    }

    private void start(BatchOptions o, BatchScope parent, long[] started) {
        Native.startBatch(
                client,
                o.id(),
                parent == null ? 0 : parent.id(),
                parent == null ? 0 : parent.life(),
                o.name() == null ? null : o.name().getBytes(StandardCharsets.UTF_8),
                o.timeoutMillis(),
                o.maxBytes(),
                o.maxObjects(),
                o.priority(),
                o.noCleanup(),
                o.maxTasks(),
                o.checkpointActors(),
                o.latencySensitive(),
                o.group() == null ? null : o.group().pathIn(this).getBytes(StandardCharsets.UTF_8),
                Caller.utf8(),
                started);
    }

    /** The region whose header and generation stand at {@code at}. */
    private MappedRegion region(long[] figures, int at) {
        return figures == null ? null : MappedRegion.of(mapped, figures[at], figures[at + 1]);
    }

    /**
     * Ends a batch, inner ones first, and collects nothing. Waits for its tasks; none of the methods that end a batch waits
     * inside of a task of that batch, or of one within it.
     *
     * @param id of an open batch
     * @return zeros
     * @throws BatchEndedException when it has ended, saying who ended it
     */
    public GcResult endBatch(long id) {
        return endBatch(id, false);
    }

    /**
     * Ends a batch, inner ones first. Waits for its tasks.
     *
     * @param id of an open batch
     * @param collect whether to release all it owns
     * @return what was released
     * @throws BatchEndedException when it has ended, saying who ended it
     */
    public GcResult endBatch(long id, boolean collect) {
        return ends.end(id, 0, collect, false, null);
    }

    /**
     * Ends a batch, inner ones first, and releases all it owns but the objects given, which the batch around it owns
     * from then on. Waits for its tasks.
     *
     * @param id of an open batch
     * @param keep objects of that batch
     * @return what was released
     * @throws BatchEndedException when it has ended, saying who ended it
     * @throws NotOwnerException for an object that neither it nor one around it owns; nothing is ended then
     */
    public GcResult endBatch(long id, ObjectRef<?>... keep) {
        return ends.end(id, 0, true, false, Arrays.asList(keep));
    }

    /**
     * As {@link #endBatch(long)}, without waiting for tasks.
     *
     * @param id of an open batch
     * @return completes when the batch's last task is over
     */
    public CompletionStage<GcResult> endBatchAsync(long id) {
        return ends.endAsync(id, 0, false, null);
    }

    /**
     * As {@link #endBatch(long, boolean)}, without waiting for tasks.
     *
     * @param id of an open batch
     * @param collect whether to release all it owns
     * @return completes with what was released
     */
    public CompletionStage<GcResult> endBatchAsync(long id, boolean collect) {
        return ends.endAsync(id, 0, collect, null);
    }

    /**
     * As {@link #endBatch(long, ObjectRef...)}, without waiting for tasks.
     *
     * @param id of an open batch
     * @param keep objects of that batch
     * @return completes with what was released
     */
    public CompletionStage<GcResult> endBatchAsync(long id, ObjectRef<?>... keep) {
        return ends.endAsync(id, 0, true, Arrays.asList(keep));
    }

    /**
     * Collects an ended batch: releases all it owns.
     *
     * @param id of a batch
     * @return what was released; zeros when it had been collected
     * @throws BatchActiveException when it is open, or its tasks run
     */
    public GcResult gc(long id) {
        GcResult result = GcResult.of(Native.gc(client, id, 0));
        Flight.pass();
        current.endedById(id, 0);
        settled(id);
        return result;
    }

    /**
     * {@return a fresh batch id, negative, reserved for {@link #setCurrentBatch} or {@link #startBatch(long)}}
     */
    public long newBatchId() {
        long id = Native.newBatchId(client);
        reserved.add(id);
        return id;
    }

    /** {@return the batch that is current in the calling thread, also one that has ended and takes no new work; 0 in normal mode} */
    public long currentBatch() {
        BatchScope scope = current.get();
        return scope == null ? 0 : scope.id();
    }

    /**
     * Makes a batch current in the calling thread. One that is current there below others is so again without those; any other is put on
     * top. An id of {@link #newBatchId()} that was not started is started, in the batch that was current.
     *
     * @param id 0 for normal mode, without any current batch
     * @throws BatchNotFoundException when there is none
     * @throws BatchEndedException when it has ended, unless it is current in this thread below others
     */
    public void setCurrentBatch(long id) {
        if (id == 0) {
            current.clear();
        } else if (reserved.contains(id)) {
            current.beforeStart(true);
            BatchOptions options = BatchOptions.builder().id(id).build();
            current.started(inCurrent(parent -> start(options, parent)), true);
        } else if (!current.popTo(id)) {
            BatchStatus status = status(id);
            if (!status.state().isOpen()) {
                EndReason reason = status.reason().orElse(null);
                ErrorDetails details = ErrorDetails.ofEnd(id, reason);
                String why = "batch " + id + " has ended (" + reason + ", by " + status.endedBy().orElse("")
                        + ") and cannot be made current; start a new batch";
                throw reason == EndReason.TIMED_OUT
                        ? new BatchTimedOutException(why, details) : new BatchEndedException(why, details);
            }
            current.set(scopeOf(id, 0));
        }
    }

    /**
     * Ends a batch if it is open, and collects it: {@code destroyBatch(id, true)}.
     *
     * @param id of a batch
     * @return what was released
     */
    public GcResult destroyBatch(long id) {
        return destroyBatch(id, true);
    }

    /**
     * Ends a batch if it is open, and collects it.
     *
     * @param id of a batch
     * @param checkpoint whether actors that the batch used are saved first, after its last task, if they are
     *     {@link Checkpointable}; objects do not depend on it
     * @return what was released
     */
    public GcResult destroyBatch(long id, boolean checkpoint) {
        reserved.remove(id);
        try {
            return ends.end(id, 0, true, checkpoint, null);
        } catch (BatchEndedException | ObjectCollectedException ended) {
            ends.awaitOver(id, 0, Deadline.NEVER);
            return gc(id);
        }
    }

    /**
     * Takes the actors that a batch used back to what they were at its beginning: to the checkpoints that {@link
     * BatchOptions.Builder#checkpointActors} had taken. What its tasks on them did is forgotten.
     *
     * @param batch open or ended
     * @throws RollbackException when another batch used such an actor since, or it has no checkpoint of the batch's beginning;
     *     nothing is taken back then
     */
    public void rollback(Batch batch) {
        tasks.rollback(checked(batch));
    }

    /**
     * Makes a batch the owner of an object, at once; its id stays. Legal before it is sealed.
     *
     * @param ref the object
     * @param batchId an open batch; 0 for the root
     */
    public void transferOwnership(ObjectRef<?> ref, long batchId) {
        boolean toRoot = batchId == 0;
        ref.checkIsOf(this);
        transfer(ObjectIds.of(List.of(ref)), 0, 0, toRoot ? root : batchId, toRoot ? rootLife : 0);
        ref.ownedBy(toRoot ? null : trackedScope(batchId));
    }

    /** As {@link Native#transfer}, waiting for room where copies need some. */
    void transfer(byte[] ids, long from, long fromLife, long to, long toLife) {
        try {
            Native.transfer(client, ids, from, fromLife, to, toLife);
        } catch (StoreFullException full) {
            room.waiting(full, () -> Native.transfer(client, ids, from, fromLife, to, toLife));
        }
    }

    /**
     * Describes a batch, live or remembered.
     *
     * @param id of a batch
     * @return its state now
     * @throws BatchNotFoundException when there is none, or it is forgotten
     */
    public BatchStatus status(long id) {
        return status(id, 0);
    }

    BatchStatus status(long id, long life) {
        Engine engine = tasks.engineIfStarted();
        Object[] known = Native.status(client, id, life);
        return BatchStatus.of(id, root, known, engine == null ? null : engine.status(this, id, life));
    }

    /** {@return all batches of the store that are not collected yet, oldest first} */
    public List<BatchStatus> batches() {
        List<BatchStatus> all = new ArrayList<>();
        for (long id : Native.batches(client)) {
            try {
                all.add(status(id));
            } catch (BatchNotFoundException collectedMeanwhile) {
                // and forgotten
            }
        }
        return all;
    }

    // ---- values ---------------------------------------------------------------------------------------------------

    /**
     * Puts a value into the current batch, or into normal mode. The value is copied; later changes to it are not seen.
     *
     * <p>{@code byte[]} and other primitive arrays, {@code String} (as UTF-8: one with a lone surrogate is refused) and
     * {@code ByteBuffer} (what remains in it; {@code get} returns a buffer of its own on the heap) are kept as they
     * are, everything else goes through the {@link Serializer}. Null is refused.
     *
     * @param value not null
     * @param <T> its type
     * @return a reference
     * @throws StoreFullException when there is no room
     * @throws BatchLimitException when a limit of the batch is reached
     * @throws SerializationException when it cannot be written
     */
    public <T> ObjectRef<T> put(T value) {
        return inCurrent(scope -> put(scope, value));
    }

    <T> ObjectRef<T> put(BatchScope scope, T value) {
        TaskContext task = TaskContext.checked();
        if (task != null && task.isIn(this, scope)) {
            return refOf(scope, task.put(Values.forPut(value), config.serializer()), true);
        }
        Object put = Values.forPut(value);
        long slot;
        try {
            slot = Values.put(client, scope, put, config.serializer());
        } catch (StoreFullException full) {
            slot = room.waiting(full, () -> Values.put(client, scope, put, config.serializer()));
        }
        return refOf(scope, slot, true);
    }

    /** The reference for {@code slot << 24 | index} of a batch, or of normal mode. */
    <T> ObjectRef<T> refOf(BatchScope scope, long slot, boolean sealed) {
        long batch = scope == null ? 0 : scope.id();
        return new ObjectRef<>(this, scope, batch, Slots.task(baseOf(scope), slot), Slots.index(slot), null, sealed);
    }

    long baseOf(BatchScope scope) {
        return scope == null ? normalBase : scope.life();
    }

    /**
     * Gets a value: at once if it is there, else waits until it is sealed. One that is lost, and was a task's, is made again.
     *
     * @param ref of it
     * @param <T> its type
     * @return a copy; null for a task's result that is null
     * @throws TaskException when the task failed
     * @throws TaskCancelledException when the task was cancelled
     * @throws ActorDiedException when it was an actor's, which is gone
     * @throws ObjectLostException when it was there, was evicted, freed or deleted, and cannot be made again
     * @throws ObjectCollectedException when it went with its batch, before or while waiting
     * @throws RayInterruptedException when the thread is interrupted while waiting
     * @throws DeadlockException in a task, when the value cannot be made before that task goes on
     * @throws SerializationException when it cannot be read
     */
    public <T> T get(ObjectRef<T> ref) {
        return reader.get(Checks.notNull("the reference", ref), Deadline.NEVER);
    }

    /**
     * Gets a value, and waits for it no longer than given.
     *
     * @param ref of it
     * @param timeout 0 to only look
     * @param <T> its type
     * @return a copy
     * @throws GetTimeoutException when the time has passed
     */
    public <T> T get(ObjectRef<T> ref, Duration timeout) {
        return reader.get(Checks.notNull("the reference", ref), Deadline.in(timeout));
    }

    /**
     * Gets several values, and waits until all are there.
     *
     * @param refs of them
     * @param <T> their type
     * @return a copy of each, in the same order
     */
    public <T> List<T> get(Collection<? extends ObjectRef<? extends T>> refs) {
        return reader.getAll(refs, Deadline.NEVER);
    }

    /**
     * Gets several values, and waits for them no longer than given, all together.
     *
     * @param refs of them
     * @param timeout 0 to only look
     * @param <T> their type
     * @return a copy of each, in the same order
     * @throws GetTimeoutException when the time has passed, saying how many were missing
     */
    public <T> List<T> get(Collection<? extends ObjectRef<? extends T>> refs, Duration timeout) {
        return reader.getAll(refs, Deadline.in(timeout));
    }

    /**
     * Waits until some of several objects are ready, without getting them. Ready is also what can never come any more.
     *
     * @param refs of them
     * @param count how many to wait for, 0 … {@code refs.size()}
     * @param timeout at most
     * @param <T> their type
     * @return all that are ready, which can be more than {@code count}, or fewer when the time has passed; and the others
     */
    public <T> WaitResult<T> wait(Collection<ObjectRef<T>> refs, int count, Duration timeout) {
        return reader.await(refs, count, Deadline.in(timeout));
    }

    /**
     * Gives up objects' bytes, as a hint; their lineage stays.
     *
     * @param refs of them
     * @return how many were freed
     */
    public int free(Collection<? extends ObjectRef<?>> refs) {
        return Native.free(client, ObjectIds.of(refs));
    }

    /**
     * Gives up objects' bytes, as a hint; their lineage stays.
     *
     * @param refs of them
     * @return how many were freed
     */
    public int free(ObjectRef<?>... refs) {
        return free(Arrays.asList(refs));
    }

    /**
     * Gives up objects' bytes, as a hint, and with {@code recursive} those of their tasks' arguments, and of theirs, that no
     * task which is not over and no other live result needs.
     *
     * @param refs of them
     * @param recursive whether arguments go, too
     * @return how many were freed
     */
    public int free(Collection<? extends ObjectRef<?>> refs, boolean recursive) {
        return recursive ? tasks.freeRecursive(List.copyOf(refs)) : free(refs);
    }

    // ---- tasks and actors; those that start them are in TaskCalls ------------------------------------------------------

    /**
     * Cancels the task of a result, unless it is over: it does not begin, or is interrupted, and its thread is given up where it
     * ignores that. Whoever gets its results is told. So it is with the tasks that it submitted to its batch, and those below
     * them; but not with methods that already run, nor with actors.
     *
     * @param ref one of its results
     * @return true if it was not over
     */
    public boolean cancel(ObjectRef<?> ref) {
        Checks.notNull("the reference", ref).checkIsOf(this);
        return tasks.cancel(ref);
    }

    /**
     * Cancels an actor's tasks that are not over. The actor lives on, rebuilt if one of them was running.
     *
     * @param actor whose tasks
     */
    public void cancel(ActorHandle<?> actor) {
        actors.cancel(checked(actor));
    }

    private <A> ActorHandle<A> checked(ActorHandle<A> actor) {
        RayApi theirs = Checks.notNull("the actor", actor).ray();
        if (!isSameStore(theirs)) {
            throw new InvalidArgumentException(
                    actor + " is of the store " + theirs.storeName() + ", and not of the store " + storeName, ErrorDetails.NONE);
        }
        return actor;
    }

    /** {@return a batch of this store} */
    Batch checked(Batch batch) {
        RayApi theirs = Checks.notNull("the batch", batch).scope().ray();
        if (!isSameStore(theirs)) {
            throw new BatchNotFoundException(
                    batch + " is of the store " + theirs.storeName() + ", and not of the store " + storeName,
                    ErrorDetails.ofEnd(batch.id(), null));
        }
        return batch;
    }

    private boolean isSameStore(RayApi other) {
        return other == this || other.storeIdentity == storeIdentity;
    }

    /**
     * Ends a batch as cancelled, inner ones first: cancels its tasks, and collects it as {@link Batch#close()} would. Waits for
     * nothing.
     *
     * @param batch to end; nothing happens if it has ended and has no tasks left
     */
    public void cancel(Batch batch) {
        tasks.cancelBatch(checked(batch).id(), batch.scope().life());
        settled(batch.scope());
    }

    /**
     * Has an actor saved, after the tasks that this thread or task submitted to it before, whatever its policy.
     *
     * @param actor that is {@link Checkpointable}
     * @return comes when it is done; fails if the actor cannot be saved
     */
    public ObjectRef<Void> checkpoint(ActorHandle<?> actor) {
        return actors.checkpoint(actor);
    }

    /**
     * Ends an actor's instance, whatever it does: a task that runs on it fails with {@link ActorDiedException}. The next task has
     * it rebuilt, if it may be; one that is just being constructed is dead.
     *
     * @param actor to kill
     */
    public void kill(ActorHandle<?> actor) {
        kill(actor, false);
    }

    /**
     * Ends an actor's instance, whatever it does.
     *
     * @param actor to kill
     * @param noRestart true to end the actor for good: tasks that it has, and later ones, fail
     */
    public void kill(ActorHandle<?> actor, boolean noRestart) {
        actors.kill(checked(actor), noRestart);
    }

    // ---- objects --------------------------------------------------------------------------------------------------

    /**
     * Deletes sealed objects. One that is in use stays readable to its holders and goes with the last of them; a
     * missing one is passed over.
     *
     * @param refs of them
     * @return how many went at once
     */
    public int delete(Collection<? extends ObjectRef<?>> refs) {
        return Native.delete(client, ObjectIds.of(refs));
    }

    /**
     * Deletes sealed objects, as {@link #delete(Collection)}.
     *
     * @param refs of them
     * @return how many went at once
     */
    public int delete(ObjectRef<?>... refs) {
        return delete(Arrays.asList(refs));
    }

    /**
     * Deletes sealed objects, as {@link #delete(Collection)}.
     *
     * @param ids of them
     * @return how many went at once
     */
    public int delete(ObjectId... ids) {
        return Native.delete(client, ObjectIds.of(ids));
    }

    /**
     * Tells whether an object is there.
     *
     * @param ref of it
     * @return true if it is sealed and not deleted, evicted or collected
     */
    public boolean contains(ObjectRef<?> ref) {
        boolean there = ref.isOf(this) && Native.contains(client, ref.batchId(), ref.task(), ref.index());
        Reference.reachabilityFence(ref);
        return there;
    }

    /**
     * Tells whether an object is there.
     *
     * @param id of it
     * @return true if it is sealed and not deleted, evicted or collected
     */
    public boolean contains(ObjectId id) {
        return Native.contains(client, id.batch(), id.task(), id.index());
    }

    /**
     * Creates an object in the current batch, or in normal mode, to be written piece by piece.
     *
     * @param size bytes, at most 2^31 - 1
     * @return its writer
     * @throws StoreFullException when there is no room
     */
    public ObjectWriter create(long size) {
        return create(size, null);
    }

    /**
     * Creates an object with metadata.
     *
     * @param size bytes of data, at most 2^31 - 1
     * @param metadata kept beside the data; may be empty or null
     * @return its writer
     * @throws StoreFullException when there is no room
     */
    public ObjectWriter create(long size, byte[] metadata) {
        return inCurrent(scope -> create(scope, size, metadata));
    }

    ObjectWriter create(BatchScope scope, long size, byte[] metadata) {
        TaskContext.checked();
        long batch = scope == null ? 0 : scope.id();
        long life = scope == null ? 0 : scope.life();
        long[] made;
        try {
            made = Native.create(client, batch, life, size, metadata, Native.KIND_BYTES);
        } catch (StoreFullException full) {
            made = room.waiting(
                    full, () -> Native.create(client, batch, life, size, metadata, Native.KIND_BYTES));
        }
        return new ObjectWriter(client, made[0], size, refOf(scope, made[1], false));
    }

    /**
     * Creates an object of normal mode under the caller's id.
     *
     * @param id with batch 0
     * @param size bytes of data, at most 2^31 - 1
     * @return its writer
     * @throws ObjectExistsException when the id is taken
     */
    public ObjectWriter create(ObjectId id, long size) {
        return create(id, size, null);
    }

    /**
     * Creates an object of normal mode under the caller's id, with metadata.
     *
     * @param id with batch 0
     * @param size bytes of data, at most 2^31 - 1
     * @param metadata kept beside the data; may be empty or null
     * @return its writer
     * @throws ObjectExistsException when the id is taken
     */
    public ObjectWriter create(ObjectId id, long size, byte[] metadata) {
        long writer;
        try {
            writer = createWithId(id, size, metadata);
        } catch (StoreFullException full) {
            writer = room.waiting(full, () -> createWithId(id, size, metadata));
        }
        ObjectRef<byte[]> ref =
                new ObjectRef<>(this, null, id.batch(), id.task(), id.index(), byte[].class, false);
        return new ObjectWriter(client, writer, size, ref);
    }

    private long createWithId(ObjectId id, long size, byte[] metadata) {
        return Native.createWithId(client, id.batch(), id.task(), id.index(), size, metadata, Native.KIND_BYTES);
    }

    /**
     * Seals an object whose writer was {@linkplain ObjectWriter#release() released}.
     *
     * @param id of it
     * @throws ObjectSealedException when it is sealed
     * @throws ObjectNotFoundException when there is none
     * @throws ObjectInUseException when it still has a writer
     */
    public void seal(ObjectId id) {
        Native.seal(client, id.batch(), id.task(), id.index());
    }

    /**
     * Gives up an unsealed object whose writer was {@linkplain ObjectWriter#release() released}. Its id can be used
     * again.
     *
     * @param id of it
     * @throws ObjectSealedException when it is sealed
     * @throws ObjectNotFoundException when there is none
     * @throws ObjectInUseException when it still has a writer
     */
    public void abort(ObjectId id) {
        Native.abort(client, id.batch(), id.task(), id.index());
    }

    /**
     * Opens an object for reading where it lies. It stays there until the view is closed.
     *
     * @param ref of it
     * @return to be closed
     * @throws ObjectNotFoundException when it is not sealed yet, or is not there
     * @throws ObjectLostException when it was there, and was evicted or deleted
     */
    public ObjectView read(ObjectRef<?> ref) {
        return reader.view(ref);
    }

    /**
     * Opens an object for reading where it lies. It stays there until the view is closed.
     *
     * @param id of it
     * @return to be closed
     * @throws ObjectNotFoundException when it is not sealed yet, or is not there
     */
    public ObjectView read(ObjectId id) {
        return reader.view(id);
    }

    /** {@return all objects of the store, sealed or not} */
    public List<ObjectInfo> list() {
        return List.of(ObjectInfo.of(Native.list(client, 0, 0, true)));
    }

    /**
     * Lists the objects of one batch.
     *
     * @param batchId 0 for normal mode
     * @return its objects, sealed or not
     */
    public List<ObjectInfo> list(long batchId) {
        return List.of(ObjectInfo.of(Native.list(client, batchId, 0, false)));
    }

    /**
     * Listens to the store, with a queue of {@link Subscription#QUEUE} events. The first events are the objects that exist.
     *
     * @return to be closed; ends with this client at the latest
     */
    public Subscription subscribe() {
        return subscribe(Subscription.QUEUE);
    }

    /**
     * Listens to the store. The first events are the objects that exist.
     *
     * @param queue how many events may wait to be taken, of about {@link Subscription#EVENT_BYTES} bytes each: 1 … 2^24. When one more
     *     comes, the oldest is dropped, and an {@link ObjectEvent.Type#LAGGED} tells how many were
     * @return to be closed; ends with this client at the latest
     */
    public Subscription subscribe(int queue) {
        return subscriptions.open(queue);
    }

    /**
     * Listens to the store, and calls a listener for each event, one at a time and in order. Its queue has room for
     * {@link Subscription#QUEUE} events.
     *
     * @param executor where {@code listener} is called
     * @param listener for events, also for {@link ObjectEvent.Type#LAGGED}, when it was too slow; what it throws is logged
     * @return to be closed; ends with this client at the latest
     */
    public Subscription subscribe(Executor executor, Consumer<ObjectEvent> listener) {
        return subscribe(Subscription.QUEUE, executor, listener);
    }

    /**
     * Listens to the store, and calls a listener for each event, one at a time and in order.
     *
     * @param queue how many events may wait, as for {@link #subscribe(int)}
     * @param executor where {@code listener} is called
     * @param listener for events, also for {@link ObjectEvent.Type#LAGGED}, when it was too slow; what it throws is logged
     * @return to be closed; ends with this client at the latest
     */
    public Subscription subscribe(int queue, Executor executor, Consumer<ObjectEvent> listener) {
        Checks.notNull("the executor", executor);
        Checks.notNull("the listener", listener);
        Subscription subscription = subscriptions.open(queue);
        subscription.dispatch(executor, listener);
        return subscription;
    }

    /**
     * Evicts objects of normal mode, least recently used first.
     *
     * @param bytes how much to free
     * @return what was freed: as much as asked for, or more, or all there was
     */
    public long evict(long bytes) {
        return Native.evict(client, bytes);
    }

    /**
     * Hashes an object's data and metadata.
     *
     * @param ref of a sealed object
     * @return 64 bits of XXH3, the same for the same contents
     */
    public long hash(ObjectRef<?> ref) {
        ref.checkIsOf(this);
        long hash = Native.hash(client, ref.batchId(), ref.task(), ref.index());
        Reference.reachabilityFence(ref);
        return hash;
    }

    /**
     * Hashes an object's data and metadata.
     *
     * @param id of a sealed object
     * @return 64 bits of XXH3, the same for the same contents
     */
    public long hash(ObjectId id) {
        return Native.hash(client, id.batch(), id.task(), id.index());
    }

    /**
     * Makes a reference of an id that arrived from outside, as bytes or text. The object need not be sealed yet.
     *
     * @param id to be checked
     * @param type of the value, checked by {@code get}; {@code Object.class} for any
     * @param <T> type of the value
     * @return a reference
     * @throws ObjectNotFoundException when the id cannot name an object here: another store's, or made up
     * @throws ObjectCollectedException when its batch is collected
     */
    public <T> ObjectRef<T> ref(ObjectId id, Class<T> type) {
        try {
            Native.resolve(client, id.batch(), id.task(), id.index());
        } catch (ObjectLostException freed) {
            // it names an object here: get has that made again, or says that it is lost
        }
        return new ObjectRef<>(this, ownerOf(id.batch()), id.batch(), id.task(), id.index(), type, false);
    }

    /**
     * Makes an outermost group of batches, or finds it. {@link ResourceGroup#group} makes one within it.
     *
     * @param name 1 to 64 bytes of UTF-8 without {@code /}, such as a user's
     * @return the group
     */
    public ResourceGroup group(String name) {
        return ResourceGroup.open(this, ResourceGroup.checkedName(name));
    }

    /** {@return all groups of the store, an outer one before those within it} */
    public List<GroupStatus> groups() {
        Object[] parts = Native.groups(client, null);
        return GroupStatus.of((long[]) parts[0], (String[]) parts[1]);
    }

    /** {@return the store as a whole} */
    public StoreStats stats() {
        return StoreStats.of(Native.storeStats(client));
    }

    /**
     * Tells what the store's memory is used for, to the byte: by group, by batch, and by what is live, pinned, kept, spilled,
     * draining, unused and free.
     *
     * @return as records, which can be written as text and as JSON
     */
    public MemoryReport memory() {
        return MemoryReport.of(storeName, Native.memory(client), id -> {
            BatchScope scope = trackedScope(id);
            return scope == null ? Optional.empty() : scope.startedAt();
        });
    }

    /**
     * Tells when memory becomes short, and when it is not any more: some milliseconds later, in a thread of its own, with no
     * lock held. The listener is told of the level it begins at, unless that is {@link Pressure.Level#NORMAL}.
     *
     * @param listener may use this client; what it throws is logged
     * @return ends it, when closed; the client's end ends it, too
     */
    public AutoCloseable onPressure(Consumer<Pressure> listener) {
        return pressure.add(Checks.notNull("the listener", listener));
    }

    /** {@return what most programs never need} */
    public RayInternals internal() {
        return internals;
    }

    // ---- within the package ---------------------------------------------------------------------------------------

    /** Where a put waits that finds the store full. */
    Room room() {
        return room;
    }

    /** The number of its store, by which references inside of values say where they belong: random, and its owner's. */
    long storeIdentity() {
        return storeIdentity;
    }

    /** The handle; the native side knows whether it is closed. */
    long client() {
        return client;
    }

    Reader reader() {
        return reader;
    }

    Tasks tasks() {
        return tasks;
    }

    Actors actors() {
        return actors;
    }

    Ends ends() {
        return ends;
    }

    /** Which batch is current in which thread. */
    CurrentBatch current() {
        return current;
    }

    private boolean isTasksOwn(BatchScope scope) {
        TaskContext task = TaskContext.current();
        return task != null && task.isIn(this, scope);
    }

    /**
     * Does something in the current batch.
     *
     * @param work gets the scope, null for normal mode; has done nothing when it throws that this batch has ended
     * @throws BatchEndedException when the current batch has ended, unless it was by its id
     */
    <R> R inCurrent(Function<BatchScope, R> work) {
        while (true) {
            BatchScope scope = current.get();
            try {
                return work.apply(scope);
            } catch (BatchEndedException | BatchNotFoundException e) {
                if (scope == null || isTasksOwn(scope) || e.batchId().orElse(0) != scope.id()) {
                    throw e;
                }
                // another client may have ended it by its id
                boolean closed = e.batchEndReason().filter(EndReason.CLOSED::equals).isPresent();
                if (!closed || !current.drop(scope)) {
                    throw e instanceof BatchEndedException ? e : forgotten(scope);
                }
            }
        }
    }

    private static BatchEndedException forgotten(BatchScope scope) {
        return new BatchEndedException(
                scope + ", which is current here, was collected, so long ago that it is forgotten by whom: close its handle in this thread",
                ErrorDetails.ofEnd(scope.id(), null));
    }

    /** The scope of a live batch, found by its id. */
    BatchScope scopeOf(long id, long life) {
        BatchScope scope = trackedScope(id);
        if (scope != null && (life == 0 || scope.life() == life)) {
            return scope;
        }
        long itsLife = life != 0 ? life : ((long[]) Native.status(client, id, 0)[0])[0];
        MappedRegion region = mapped == null ? null : region(Native.region(client, id, itsLife), 0);
        return BatchScope.heldById(this, id, itsLife, null, null, region);
    }

    /** What a reference to an object of that batch is to keep reachable; null for normal mode, and where nothing need be. */
    BatchScope ownerOf(long batch) {
        return batch == 0 ? null : trackedScope(batch);
    }

    /** The scope of a batch that ends when nobody can reach that; null for any other. */
    private BatchScope trackedScope(long id) {
        WeakReference<BatchScope> held = tracked.get(id);
        return held == null ? null : held.get();
    }

    /** A batch is collected: nothing is to be done when it becomes unreachable. */
    void settled(long id) {
        WeakReference<BatchScope> held = tracked.remove(id);
        BatchScope scope = held == null ? null : held.get();
        if (scope != null) {
            scope.settled();
        }
    }

    /** As {@link #settled(long)}, for a scope at hand. */
    void settled(BatchScope scope) {
        if (scope.isTracked()) {
            tracked.remove(scope.id());
            scope.settled();
        }
    }

    /** {@return the store's name and whether it is open} */
    @Override
    public String toString() {
        return "RayApi of store " + storeName + (isClosed() ? " (closed)" : "");
    }
}
