package io.raybatch;

import java.io.InvalidObjectException;
import java.io.ObjectInputStream;
import java.io.Serializable;

/**
 * An actor: an instance somewhere, whose methods run as tasks, one at a time, those of one caller in the order in which it
 * submitted them. Can be an argument of tasks, and a part of values. It keeps the batch that owns the actor from being taken for leaked.
 *
 * <pre>{@code
 * ActorHandle<Counter> counter = ray.actor(Counter::new).remote();
 * int count = counter.task(Counter::incAndGet).remote().get();
 * }</pre>
 *
 * @param <A> type of the actor
 */
public final class ActorHandle<A> implements ActorTaskCalls<A>, Serializable {

    private static final long serialVersionUID = 1;

    private final transient RayApi ray;
    private final transient int number;
    private final transient String name;
    private final transient long store;
    /** The owner as far as this handle knows, kept reachable; null in normal mode. */
    private transient volatile BatchScope owner;

    ActorHandle(RayApi ray, BatchScope owner, int number, String name) {
        this(ray, owner, number, name, ray.storeIdentity());
    }

    /** @param store the number of the actor's store, which may be another one than the client's */
    ActorHandle(RayApi ray, BatchScope owner, int number, String name, long store) {
        this.store = store;
        this.ray = ray;
        this.owner = owner;
        this.number = number;
        this.name = name;
    }

    RayApi ray() {
        return ray;
    }

    /**
     * As the table numbers it.
     *
     * @throws ObjectNotFoundException for an actor of another store
     */
    int number() {
        if (store != ray.storeIdentity()) {
            throw new ObjectNotFoundException(this + " is of " + Engines.nameOf(store) + ", and not of the store " + ray.storeName()
                    + ": have a task of its own store call it", ErrorDetails.NONE);
        }
        return number;
    }

    BatchScope owner() {
        return owner;
    }

    void ownedBy(BatchScope scope) {
        owner = scope;
    }

    /** {@return its name, as given or that of its constructor} */
    public String name() {
        return name;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ActorHandle<?> handle
                && handle.number == number
                && handle.store == store;
    }

    @Override
    public int hashCode() {
        return number;
    }

    /**
     * Inside of a value its number stands for it.
     *
     * @return what is written in the handle's place
     */
    private Object writeReplace() {
        return form();
    }

    Handles.Actor form() {
        BatchScope scope = owner;
        return new Handles.Actor(number, name, scope == null ? 0 : scope.id(), store);
    }

    /**
     * Refuses bytes that claim to be a handle itself.
     *
     * @param in where the bytes come from
     * @throws InvalidObjectException always
     */
    private void readObject(ObjectInputStream in) throws InvalidObjectException {
        throw new InvalidObjectException("its number stands for an actor's handle");
    }

    /** {@return its number and name} */
    @Override
    public String toString() {
        return "actor " + number + " (" + name + ")";
    }
}
