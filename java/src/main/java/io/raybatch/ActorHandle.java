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
    /** The owner as far as this handle knows, kept reachable; null in normal mode. */
    private transient volatile BatchScope owner;

    ActorHandle(RayApi ray, BatchScope owner, int number, String name) {
        this.ray = ray;
        this.owner = owner;
        this.number = number;
        this.name = name;
    }

    RayApi ray() {
        return ray;
    }

    /** As the table numbers it. */
    int number() {
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
                && handle.ray.storeName().equals(ray.storeName());
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
        return new Handles.Actor(number, name, scope == null ? 0 : scope.id());
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
