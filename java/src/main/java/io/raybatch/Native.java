package io.raybatch;

import java.nio.ByteBuffer;

/**
 * The boundary: every native method of raybatch, each implemented by one export of the crate's {@code jni} room.
 *
 * <p>Conventions. {@code client} is the handle of an open {@link RayApi}; handles are ids in a registry, never
 * addresses, so a stale one is a {@link RayClosedException}. A batch is named by {@code (batch, life)}: {@code life} is
 * the random base of its slots and tells apart two batches that used one id; {@code 0} means "whichever lives". A
 * single object id is passed as {@code (batch, task, index)}, a list of them as 20 bytes each in network order. Every
 * method may throw any {@link RayException}. None of them blocks: waiting is done in Java, woken by
 * {@link NativeCallbacks#wake(long)}.
 */
final class Native {

    /** Value kinds, kept in the object's index entry. */
    static final int KIND_BYTES = 0;
    static final int KIND_SERIALIZED = 1;
    static final int KIND_STRING = 2;
    static final int KIND_BUFFER = 3;
    static final int KIND_BOOLEANS = 4;
    static final int KIND_CHARS = 5;
    static final int KIND_SHORTS = 6;
    static final int KIND_INTS = 7;
    static final int KIND_LONGS = 8;
    static final int KIND_FLOATS = 9;
    static final int KIND_DOUBLES = 10;
    /** A null; no bytes. */
    static final int KIND_NULL = 11;
    /** Why there is no value; see {@link Failures}. */
    static final int KIND_FAILURE = 12;
    /** {@link #KIND_BUFFER} is big-endian. */
    static final int KIND_LITTLE_ENDIAN_BUFFER = 13;

    private Native() {}

    // ---- library -------------------------------------------------------------------------------------------------

    /** Version of the native library; equal to the jar's. */
    static native String version();

    // ---- clients -------------------------------------------------------------------------------------------------

    /** Opens a store and its owning client. Options are {@code key, value, key, value, …} as config.rs names them. */
    static native long open(String[] options);

    /** Connects a further client to the store of that name in this process. */
    static native long connect(String storeName);

    /**
     * Ends and collects all the client's batches, drops its pins, aborts what it had not sealed; an owner then closes
     * the store.
     */
    static native void close(long client, String by);

    /** {@code {rootBatchId, rootLife, ownsStore ? 1 : 0, normalModeBase}}. */
    static native long[] clientInfo(long client);

    /** The store's name, given or chosen. */
    static native String storeName(long client);

    /**
     * Store-wide figures, all in bytes unless said: {@code {capacity, used, live, leased, warm, largestFreeRun, objects,
     * liveBatches, evictedObjects, evictedBytes, rssBacked, drainingBytes, spilledObjects, spilledBytes, spillFileBytes,
     * spillWrittenBytes, spillRestoredBytes, spillServed, spillErrors, records}}.
     */
    static native long[] storeStats(long client);

    /** Walks the whole store and throws {@link RayInternalException} when its sums do not add up; for tests. */
    static native void audit(long client);

    /**
     * What the arena is used for: {@code long[]}{the whole, as {@link MemoryReport#of} reads it}, {@code long[]}{17 figures
     * of each batch}, {@code String[]}{name, startedBy, group of each batch}, the parts of {@link #groups},
     * {@code long[]}{id, startedMillis, held, pins of each batch that drains}, {@code String[]}{name, startedBy, group of each},
     * {@code long[]}{kind (1: an actor, 0: a batch), number, bytes of each for whom records of tasks are held}, {@code String[]}{its name}.
     */
    static native Object[] memory(long client);

    /** {@code {used, capacity}} of the store, at no cost. */
    static native long[] used(long client);

    /** Has the store note what happens, for whoever records it: a journal's handle, which outlives client and store. */
    static native long openJournal(long client);

    /**
     * Takes the oldest notes: {@code long[]}{how many were lost, and of each: what (1 ended, 2 collected, 3 spilled, 4 restored, 5 evicted),
     * batch, reason, objects, bytes, nanoseconds, epoch milliseconds}, {@code String[]}{name, endedBy of each}.
     */
    static native Object[] journal(long journal);

    /** Ends a journal; an unknown one is ignored. */
    static native void dropJournal(long journal);

    /** Writes all that may be spilled to files; the bytes of memory that went back. */
    static native long spill(long client);

    // ---- the arena, as the JVM maps it -------------------------------------------------------------------------------

    /**
     * Maps the store's arena: direct buffers over it, of 1 GiB each but the last; {@code mapping[0]} becomes the mapping's
     * handle. The memory stays mapped until {@link #unmap}, whatever becomes of client and store.
     */
    static native Object[] map(long client, long[] mapping);

    /** Idempotent; works after the client has closed. Nothing may refer to its buffers any more. */
    static native void unmap(long mapping);

    /** Where the header of a batch's region lies, and the generation of its life; null for a batch that has none. */
    static native long[] region(long client, long batch, long life);

    /**
     * Sealed objects that a batch made and still has, in the order of slots from the packed slot {@code from} on: {@code
     * {slot << 24 | index, size}} each, as many as {@code out} has room for.
     *
     * @return how many; 0 after the last
     */
    static native int scan(long client, long batch, long life, long from, long[] out);

    // ---- batches -------------------------------------------------------------------------------------------------

    /** A fresh id of the store's choosing (negative), reserved until it is started. */
    static native long newBatchId(long client);

    /**
     * Starts a batch.
     *
     * @param id 0: the store chooses
     * @param parent 0: the client's root
     * @param name in UTF-8, or null; likewise the group's path, and by
     * @param timeoutMillis 0: none; likewise maxBytes, maxObjects and maxTasks
     * @param out takes {@code {id, life, header, generation}}, the latter as {@link #region}, 0 for a batch without one
     */
    static native void startBatch(long client, long id, long parent, long parentLife, byte[] name, long timeoutMillis,
            long maxBytes, long maxObjects, int priority, boolean noCleanup, int maxTasks, boolean checkpointActors,
            boolean latencySensitive, byte[] group, byte[] by, long[] out);

    /** Makes a group of batches, and those it is in, as far as there are none. */
    static native void openGroup(long client, String path);

    /** Changes a limit of a group: 0 bytes, 1 objects, 2 tasks, 3 priority; {@link GroupStatus#NONE} for none. */
    static native void limitGroup(long client, String path, int which, long most);

    /** Removes a group that nothing is in. */
    static native void removeGroup(long client, String path);

    /**
     * The group of that path, or all of the store for null: {@code long[]}{maxBytes, maxObjects, maxTasks, maxPriority, bytes,
     * objects, held, share, batches, tasks, refused of each}, {@code String[]}{its path}.
     */
    static native Object[] groups(long client, String path);

    /**
     * Ends a batch, inner ones first, and collects it if asked: now, or after its last task; {@link #batchOver} tells.
     *
     * @param checkpoint whether the actors it used are checkpointed before it is completed
     * @param keep ids (20 bytes each) to hand to the parent first, or null
     * @param reason 0 closed, 1 timed out, 2 cancelled, 3 leaked
     * @return {@code {objects, bytes, deferred}} of the collection, zeros without one
     */
    static native long[] endBatch(
            long client, long id, long life, boolean collect, boolean checkpoint, byte[] keep, int reason, String by);

    /** {@code Batch.close()}: idempotent; ends it if open and collects it unless {@code noCleanup}. {@code by} in UTF-8. */
    static native void closeBatch(long client, long id, long life, byte[] by);

    /** {@code Batch.delete()}: idempotent; ends, collects, and deletes what it kept unless transferred further. */
    static native void deleteBatch(long client, long id, long life, String by);

    /** Collects an ended batch: {@code {objects, bytes, deferred}}; zeros when it was collected before. */
    static native long[] gc(long client, long id, long life);

    /**
     * One batch, live or remembered: {@code long[]}{life, state, reason, objects, bytes, held, peakBytes, pins,
     * startedMillis, endedMillis, collectedMillis, parentId, priority, timeoutMillis, maxBytes, maxObjects,
     * keptObjects, adoptedObjects, flags (1 noCleanup, 2 checkpointActors), maxTasks, spilledBytes, id of the outer batch
     * whose end ended it or 0}, {@code String[]}{name, startedBy, endedBy, group}, {@code long[]}{children
     * ids}. Times are epoch milliseconds, 0 for not yet. States 0 waiting … 5 collected as in {@link BatchState}.
     */
    static native Object[] status(long client, long id, long life);

    /** Ids of all batches not collected yet, roots left out, oldest first. */
    static native long[] batches(long client);

    // ---- objects -------------------------------------------------------------------------------------------------

    /**
     * Copies a primitive array into a new sealed object.
     *
     * @param batch 0: normal mode
     * @param array the array whose type {@code kind} names: {@code byte[]} for bytes, strings, buffers and serialized values
     * @param thread whose lease gets the object and more room: as {@link MappedRegion#thread}
     * @return {@code slot << 24 | index}; the id is {@code (batch, base + slot - index, index)}, base being the batch's
     *     life, or the client's normal-mode base
     */
    static native long put(
            long client, long batch, long life, Object array, int offset, int length, int kind, int thread);

    /** As {@link #put}, from a direct buffer. */
    static native long putDirect(long client, long batch, long life, ByteBuffer buffer, int offset, int length, int kind);

    /**
     * Copies an object out into a fresh primitive array of its kind, put into {@code out[0]}.
     *
     * @return the kind, or -1 when absent: unsealed, or not (any more) in normal mode
     */
    static native int get(long client, long batch, long task, int index, Object[] out);

    /** Copies an object into {@code target}, whole; its length in bytes, or -1 when absent. Bounds are checked. */
    static native int getInto(long client, long batch, long task, int index, byte[] target, int offset, int length);

    /** As {@link #getInto}, for an id this store made itself, {@code slot << 24 | index} as {@link #put} returned it. */
    static native int getSlot(long client, long batch, long life, long slot, byte[] target, int offset, int length);

    /** True if sealed and there. */
    static native boolean contains(long client, long batch, long task, int index);

    /** Checks an id that came from outside: throws unless it may name an object (of a live batch, a kept one, or normal mode). */
    static native void resolve(long client, long batch, long task, int index);

    /** Deletes sealed objects; one in use goes with its last release. Missing ones are skipped. Returns how many went at once. */
    static native int delete(long client, byte[] ids);

    /** Gives up the bytes of objects, as a hint; returns how many. */
    static native int free(long client, byte[] ids);

    /** Makes {@code to} ({@code 0}: the parent of {@code from}) the owner of objects of {@code from} (0: of whatever owns them). */
    static native void transfer(long client, byte[] ids, long from, long fromLife, long to, long toLife);

    /** Evicts least recently used objects of normal mode; returns the bytes freed: as many as asked for, or all there was. */
    static native long evict(long client, long bytes);

    /** A 64-bit hash (XXH3) of data and metadata; the object must be sealed. */
    static native long hash(long client, long batch, long task, int index);

    /**
     * Objects of one batch ({@code 0}: normal mode), or of all with {@code all}: {@code byte[]}{20 bytes each} and
     * {@code long[]}{dataSize, metadataSize, state (1 created, 2 sealed, 3 freed), references, createdMillis,
     * accessedMillis, kind, owner} each. Times are 0 inside a batch.
     */
    static native Object[] list(long client, long batch, long life, boolean all);

    // ---- writers -------------------------------------------------------------------------------------------------

    /** Creates an unsealed object in a batch, or in normal mode with an id of the store's choosing: {@code {writer, slot << 24 | index}}. */
    static native long[] create(long client, long batch, long life, long size, byte[] metadata, int kind);

    /** Creates an unsealed object of normal mode under the caller's id; returns the writer. */
    static native long createWithId(long client, long batch, long task, int index, long size, byte[] metadata, int kind);

    static native void writerPut(long client, long writer, long position, byte[] source, int offset, int length);

    static native void writerPutDirect(long client, long writer, long position, ByteBuffer source, int offset, int length);

    /** Reads back what was written (bytes not written yet read as zero). */
    static native void writerGet(long client, long writer, long position, byte[] target, int offset, int length);

    /** Seals; bytes never written are zero. */
    static native void writerSeal(long client, long writer);

    static native void writerAbort(long client, long writer);

    /** Lets go of the writer and leaves the object unsealed. */
    static native void writerRelease(long client, long writer);

    /** A writable direct buffer over the whole object, zeroed where nothing was written; {@code hold[0]} becomes its hold. */
    static native ByteBuffer writerBuffer(long client, long writer, long[] hold);

    /** Seals by id an object whose writer was released. */
    static native void seal(long client, long batch, long task, int index);

    /** Aborts by id an object whose writer was released. */
    static native void abort(long client, long batch, long task, int index);

    // ---- views ---------------------------------------------------------------------------------------------------

    /** Pins a sealed object: {@code {view, dataSize, metadataSize, kind}}, or null when absent. */
    static native long[] read(long client, long batch, long task, int index);

    /** Copies out of the data, or of the metadata. */
    static native void viewGet(long client, long view, boolean metadata, long position, byte[] target, int offset, int length);

    static native void viewGetDirect(long client, long view, boolean metadata, long position, ByteBuffer target, int offset, int length);

    /** A direct buffer over the data; {@code hold[0]} becomes its own hold, given back with {@link #releaseHold}. */
    static native ByteBuffer viewBuffer(long client, long view, long[] hold);

    /** Idempotent. */
    static native void viewRelease(long client, long view);

    /** Gives back the hold of a direct buffer that is unreachable now; works after the client has closed. Idempotent. */
    static native void releaseHold(long hold);

    // ---- events --------------------------------------------------------------------------------------------------

    /** Asks for {@link NativeCallbacks#wake} with {@code token}, once, when one of the objects is sealed or can never be. */
    static native void watch(long client, byte[] ids, long token);

    static native void unwatch(long client, long token);

    /**
     * Has an object's value kept for {@code token} when its batch is collected before it is read: the batch drains until
     * {@link #unclaimAll}. Look for the object after this.
     */
    static native void claim(long client, long batch, long task, int index, long token);

    /** As {@link #claim}, of several objects, 20 bytes each; those that the token claims already stay claimed. */
    static native void claimAll(long client, byte[] ids, long token);

    /** Ends a token's claims on these objects. Works after the client has closed, which ends all of its claims. */
    static native void unclaim(long client, byte[] ids, long token);

    /** Ends all claims of a token, likewise. */
    static native void unclaimAll(long client, long token);

    /** As {@link #get}, of an object that was released since the token claimed it; -1 when it was not kept. */
    static native int getClaimed(long client, long token, long batch, long task, int index, Object[] out);

    /**
     * Has {@code token} woken, once, when room was made or none can be. Try again after this, and before waiting.
     *
     * @return how many rounds of spilling made no room so far; -1 in a store that does not spill
     */
    static native long askForRoom(long client, long token);

    /** Forgets a token of {@link #askForRoom}. */
    static native void forgetRoom(long client, long token);

    /**
     * Starts a subscription whose first events are the objects that exist; {@code token} is woken when events wait. When more than
     * {@code queue} wait the oldest are dropped.
     */
    static native long subscribe(long client, long token, int queue);

    /** {@code {events that wait, events dropped in all}} of a subscription. */
    static native long[] lag(long client, long subscription);

    /**
     * Takes up to {@code max} events: {@code {kind (1 sealed, 2 deleted, 3 evicted, 4 batch ended, 5 batch collected, 6 store
     * closed, 7 events were dropped), batch, task, index, dataSize, metadataSize}} each; null when the subscription is over.
     */
    static native long[] poll(long client, long subscription, int max);

    static native void unsubscribe(long client, long subscription);

    /** Routes the native side's log records of that level and above (0 off … 5 trace) to {@link NativeCallbacks#log}. */
    static native void logLevel(int level);

    // ---- tasks ---------------------------------------------------------------------------------------------------
    //
    // The table of tasks belongs to a store. A life of a batch has a serial there, a positive int; (serial, slot) names a
    // task. An attempt's number comes with each piece of work and goes back with all that is said about it. A refusal
    // because the attempt is over is a TaskCancelledException.

    /** Kinds of tasks. */
    static final int TASK = 0;
    static final int ACTOR_TASK = 1;
    static final int ACTOR_CREATION = 2;
    static final int ACTOR_CHECKPOINT = 3;

    /** Flags that come back from those that change the table. */
    static final int FLAG_WAKE = 1;
    static final int FLAG_FULL = 2;
    static final int FLAG_ORDERS = 4;
    /** A run again submitted it again: there is nothing to do. */
    static final int FLAG_KNOWN = 8;
    /** Full, and nothing that is ready or runs could make room. */
    static final int FLAG_STUCK = 16;

    /**
     * Figures of a piece of work: {@code {serial, slot, attempt | kind << 32, actor | instance << 32, flags, 0}}. What the table
     * has done on its own account, saving and restoring actors, has serial 0.
     */
    static final int PIECE = 6;

    /** What a piece of work is. */
    static final int RUN = 0;
    static final int CONSTRUCT = 1;
    static final int RUN_ON_ACTOR = 2;
    static final int SAVE = 3;
    static final int RESTORE = 4;

    /** Flags of a piece. */
    static final int PIECE_ALIASED = 1;
    static final int PIECE_DISCARD = 2;

    /** In what {@link #take} returns: more is ready than was taken. */
    static final int MORE = 1 << 16;

    /** Figures of an outcome: {@code {serial, slot, attempt | status << 32, kind << 32 | length in blob, nanos}}. */
    static final int OUTCOME = 5;

    /** How a piece of work ended. */
    static final int VALUE = 0;
    static final int STORED = 1;
    static final int FAILED = 2;
    static final int FAILED_FINALLY = 3;
    static final int NOT_BEGUN = 4;
    /** With the argument's id in the blob. */
    static final int ARGUMENT_LOST = 5;
    static final int OVER = 6;
    /** A save of an actor that is not {@link Checkpointable}; a failure in the blob. */
    static final int NOT_CHECKPOINTABLE = 7;

    /** What {@link #orders} says, 4 longs each: {@code {what, serial or actor, slot or instance, attempt}}. */
    static final int ORDER = 4;
    static final int ORDER_INTERRUPT = 1;
    static final int ORDER_DROP_BATCH = 2;
    static final int ORDER_DROP_INSTANCE = 3;
    static final int ORDER_WORKERS = 4;
    static final int ORDER_ROOM = 5;
    /** {@code {6, serial, first slot, count}}. */
    static final int ORDER_DROP_SLOTS = 6;
    /** The actor is dead. */
    static final int ORDER_DROP_ACTOR = 7;

    /** What {@link #remake} answers. */
    static final int REMAKE_NEEDLESS = 0;
    static final int REMAKE_WAIT = 1;
    static final int REMAKE_NEVER = 2;

    /** Starts the table of the store, by its owner, once. The token is woken when orders wait, or there is work. */
    static native void startTasks(long client, int slots, int maxPending, long token);

    /**
     * A block of task slots for a thread.
     *
     * @param batch 0: normal mode
     * @param out takes {@code {serial, life, or the normal mode's base}}
     * @return {@code first << 24 | count}
     */
    static native long taskBlock(long client, long batch, long life, int count, long[] out);

    /** The nth block, of either kind, of a running task: {@code first << 24 | count}. */
    static native long blockOf(long client, int serial, long slot, int attempt, int nth, int count, boolean puts);

    /**
     * Submits a task.
     *
     * @param priority {@link Integer#MIN_VALUE}: the batch's
     * @param actor 0: none
     * @param caller whose order an actor keeps: a thread's id
     * @param args 20 bytes for each argument that is a reference, or null
     * @param parentSerial 0: no task submits it
     * @return flags
     */
    static native int submit(long client, int serial, long slot, int kind, int returns, int retries, int cpus, int priority,
            int actor, long caller, byte[] args, int parentSerial, long parentSlot, int parentAttempt);

    /**
     * Makes an actor, whose creation is the task {@code (serial, slot)}, to be submitted.
     *
     * @param restarts -1: as often as needed
     * @param faultTolerant 1: yes, 0: no, -1: if {@link #actorMade} says that it is checkpointable
     * @param policy as {@link CheckpointPolicy} numbers them
     * @return its number, positive
     */
    static native int newActor(long client, int serial, long slot, byte[] name, int restarts, int faultTolerant,
            int policy, int every);

    /** An actor is constructed; said before the outcome of its creation is reported. */
    static native void actorMade(long client, int actor, boolean checkpointable);

    /**
     * Takes work.
     *
     * @param batchSerial 0: the table chooses
     * @param out takes {@link #PIECE} figures a piece
     * @return how many in the low 16 bits, and {@link #MORE}; negative when there is nothing to do
     */
    static native int take(long client, int batchSerial, int max, long[] out);

    /** The ids of a piece's arguments as they are to be read now; of a restore that of the checkpoint. */
    static native byte[] arguments(long client, int serial, long slot, int attempt);

    /** Stores a result of a running task; false when it is thrown away. The array as in {@link #put}. */
    static native boolean putResult(long client, int serial, long slot, int attempt, int index, Object array, int offset,
            int length, int kind);

    /** A put of a running task, under the id of {@code index} in its block of puts that begins at {@code first}. */
    static native void putInTask(long client, int serial, long slot, int attempt, long first, int index, Object array,
            int offset, int length, int kind);

    /** Reports n outcomes of {@link #OUTCOME} figures, with their payloads one after the other. Returns flags. */
    static native int complete(long client, long[] outcomes, int n, byte[] blob, int length);

    /** A running task waits and gives its slots up, or goes on. Returns flags. */
    static native int blocked(long client, int serial, long slot, int attempt, boolean blocked);

    /**
     * As {@link #blocked} with true, of a run that waits for {@code needed} of these objects.
     *
     * @param ids what is missing, 20 bytes each
     * @param timed whether it goes on without them after some time
     * @throws DeadlockException when the run would wait for itself; it is not blocked then
     */
    static native int blockOn(long client, int serial, long slot, int attempt, byte[] ids, int needed, boolean timed);

    /** As {@link #blockOn}, of a run that waits for the end of a batch. */
    static native int blockOnBatch(long client, int serial, long slot, int attempt, long batch, long life);

    /** A run's thread waits for what the table does not know of: others have its cpus until it ends, or {@link #blocked} with false. */
    static native int lend(long client, int serial, long slot, int attempt);

    /** True when a task is ready, and may run as soon as there is a cpu for it. */
    static native boolean hasReady(long client);

    /** How far the making of an object is: {@code String}, and {@code long[]}{serial, slot of each task that it names}. */
    static native Object[] describeObject(long client, long batch, long task, int index);

    /** Which tasks of a batch are not over, and what they wait for; as {@link #describeObject}. */
    static native Object[] describeBatch(long client, long batch, long life);

    /** Cancels the task of a result; true if it was not over. {@code by} in UTF-8, here and below. */
    static native boolean cancelTask(long client, long batch, long task, int index, byte[] by);

    /** Ends a batch as cancelled, with its tasks, and collects it as its closing would. */
    static native void cancelBatch(long client, long batch, long life, byte[] by);

    /** Cancels an actor's tasks that are not over. */
    static native void cancelActor(long client, int actor, byte[] by);

    /** Cancels all tasks of the store. */
    static native void cancelTasks(long client, byte[] by);

    /** Ends an actor's instance, or the actor. */
    static native void killActor(long client, int actor, boolean forGood, byte[] by);

    /** Gives a run up whose thread does not come back. Returns flags. */
    static native int abandon(long client, int serial, long slot, int attempt, byte[] thread);

    /** Has lost objects made again; for each id one of {@code REMAKE_…}. */
    static native byte[] remake(long client, byte[] ids);

    /** As {@link #free}, and arguments that nobody else needs. */
    static native int freeRecursive(long client, byte[] ids);

    /** Makes {@code to} (0: the parent of {@code from}) the owner of actors of {@code from}. */
    static native void keepActors(long client, int[] actors, long from, long fromLife, long to, long toLife);

    /** Takes the actors that a batch used back to what they were at its beginning. */
    static native void rollback(long client, long batch, long life);

    /** Batches with ready tasks: {@code {serial, batch, priority, ready, running, waiting nanoseconds}} each. */
    static native long[] readyBatches(long client);

    /** What Java is to do, {@link #ORDER} figures each; null or empty when there is nothing. */
    static native long[] orders(long client);

    /**
     * The tasks of a batch: {@code long[]}{waiting, ready, running, done, failed, cancelled, active}, {@code String[]}{threads
     * whose runs were abandoned}, {@code long[]}{dependent batch, actor or 0, since epoch milliseconds, 1 if that one is live} and {@code
     * String[]}{that actor's name} for each reason why its records stand. Null when there are none.
     */
    static native Object[] taskStatus(long client, long batch, long life);

    /** How many tasks of each are not over; 0 for a serial that is gone. */
    static native int[] active(long client, int[] serials);

    /** Has the token woken, once, when the batch is completed and, if that was asked for, collected. */
    static native void watchBatch(long client, long batch, long life, long token);

    /** {@code {objects, bytes, deferred}} of its collection when the batch is over; null before. */
    static native long[] batchOver(long client, long batch, long life);

    // ---- faults (only in a library built with the feature {@code fault-injection}) ----------------------------------

    /** The next call of the named export panics with the message {@code injected: <export>}. */
    static native void injectPanic(String export);

    /** The nth store operation of that kind ({@code run}, {@code commit}, {@code map}, …) from now fails once. */
    static native void injectFault(long client, String point, long nth);
}
