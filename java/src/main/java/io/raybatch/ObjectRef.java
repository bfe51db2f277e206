package io.raybatch;

import java.io.InvalidObjectException;
import java.io.ObjectInputStream;
import java.io.Serializable;
import java.time.Duration;
import java.util.concurrent.CompletionStage;

/**
 * A reference to an object, which may not be there yet. It can be a part of a value: who gets that has a reference of its own. It keeps the batch that owns the object from being taken for
 * leaked; it does not keep the object from being released when that batch is collected.
 *
 * <p>Equal references name the same object. For many small objects, where references would be the larger part, see
 * {@link Batch#slots()}.
 *
 * @param <T> type of the value
 */
public final class ObjectRef<T> implements Serializable {

    private static final long serialVersionUID = 1;

    private final transient RayApi ray;
    private final transient long batch;
    private final transient long task;
    private final transient int index;
    /** What {@code get} must find; null for whatever was put. Of a reference of another store that store's number, a {@code Long}. */
    private final transient Object type;
    /** The owner as far as this reference knows, kept reachable; null in normal mode. */
    private transient volatile BatchScope owner;
    /** True once the object is known to have been sealed: if it is not there then, it is lost. */
    private transient volatile boolean sealed;

    ObjectRef(RayApi ray, BatchScope owner, long batch, long task, int index, Class<T> type, boolean sealed) {
        this.ray = ray;
        this.owner = owner;
        this.batch = batch;
        this.task = task;
        this.index = index;
        this.type = type;
        this.sealed = sealed;
    }

    private ObjectRef(RayApi reader, long batch, long task, int index, Long store) {
        this.ray = reader;
        this.batch = batch;
        this.task = task;
        this.index = index;
        this.type = store;
    }

    /** One that a client of another store has read: it names an object that this client cannot have. */
    static ObjectRef<?> ofAnotherStore(RayApi reader, long batch, long task, int index, long store) {
        return new ObjectRef<>(reader, batch, task, index, (Long) store);
    }

    /**
     * Demands that it is a reference of the client's store.
     *
     * @throws ObjectNotFoundException for one of another store
     */
    void checkIsOf(RayApi client) {
        if (!isOf(client)) {
            throw new ObjectNotFoundException(
                    "object " + this + " is of " + Engines.nameOf(store()) + ", and not of the store " + client.storeName()
                            + ": get its value there, and hand over that", ErrorDetails.of(id()));
        }
    }

    boolean isOf(RayApi client) {
        return !(type instanceof Long) && (ray == client || ray.storeIdentity() == client.storeIdentity());
    }

    /** The number of the store that it is of. */
    private long store() {
        return type instanceof Long store ? store : ray.storeIdentity();
    }

    /** {@return the object's id} */
    public ObjectId id() {
        return new ObjectId(batch, task, index);
    }

    /** {@return the batch that the object was made in; 0 in normal mode} */
    public long batchId() {
        return batch;
    }

    /**
     * {@return the value, as {@link RayApi#get(ObjectRef)} does}
     */
    public T get() {
        return ray.get(this);
    }

    /**
     * Waits for the value, as {@link RayApi#get(ObjectRef, Duration)} does.
     *
     * @param timeout at most
     * @return the value
     */
    public T get(Duration timeout) {
        return ray.get(this, timeout);
    }

    /**
     * Waits for the value without a thread. Asked for before the batch is closed or ended, it arrives although the batch is
     * collected meanwhile; when the batch times out or is cancelled, the stage fails. A stage that is given up, cancelled or by
     * {@code orTimeout}, holds nothing any longer.
     *
     * <p>It is a {@link java.util.concurrent.CompletableFuture} of the caller's own: completing it otherwise, by {@code cancel} or
     * {@code orTimeout}, ends the wait and releases what that took. A stage that depends on it does not complete it.
     *
     * @return completes with the value, or with what {@link #get()} would throw, an {@code Error} as well; what depends on it runs on
     *     a thread of raybatch's, so hand long work on
     */
    public CompletionStage<T> stage() {
        return Stages.of(ray, this);
    }

    RayApi ray() {
        return ray;
    }

    long task() {
        return task;
    }

    int index() {
        return index;
    }

    /** The batch that made it, if that is its owner still as far as this reference knows; null otherwise. */
    BatchScope maker() {
        BatchScope scope = owner;
        return scope != null && scope.id() == batch ? scope : null;
    }

    boolean isSealed() {
        return sealed;
    }

    void sealed() {
        sealed = true;
    }

    /** It is being made again. */
    void unsealed() {
        sealed = false;
    }

    void ownedBy(BatchScope scope) {
        owner = scope;
    }

    BatchScope owner() {
        return owner;
    }

    /** The value as {@code T}, checked where the type is known. */
    @SuppressWarnings("unchecked")
    T cast(Object value) {
        if (type instanceof Class<?> demanded && value != null && !demanded.isInstance(value)) {
            throw new InvalidArgumentException(
                    "object " + this + " is a " + value.getClass().getTypeName() + ", not a " + demanded.getTypeName(),
                    ErrorDetails.of(id()));
        }
        return (T) value;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ObjectRef<?> ref && ref.batch == batch && ref.task == task && ref.index == index;
    }

    @Override
    public int hashCode() {
        return (Long.hashCode(batch) * 31 + Long.hashCode(task)) * 31 + index;
    }

    /**
     * Inside of a value its id stands for it.
     *
     * @return what is written in the reference's place
     */
    private Object writeReplace() {
        return form();
    }

    Handles.Reference form() {
        return new Handles.Reference(batch, task, index, store());
    }

    /**
     * Refuses bytes that claim to be a reference itself.
     *
     * @param in where the bytes come from
     * @throws InvalidObjectException always
     */
    private void readObject(ObjectInputStream in) throws InvalidObjectException {
        throw new InvalidObjectException("its id stands for a reference");
    }

    /** {@return the id's 40 hex digits} */
    @Override
    public String toString() {
        return id().toString();
    }
}
