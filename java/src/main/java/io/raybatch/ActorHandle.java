package io.raybatch;

/**
 * An actor: an instance somewhere, whose methods run as tasks, one at a time, those of one caller in the order in which it
 * submitted them. Can be an argument of tasks. It keeps the batch that owns the actor from being taken for leaked.
 *
 * <pre>{@code
 * ActorHandle<Counter> counter = ray.actor(Counter::new).remote();
 * int count = counter.task(Counter::incAndGet).remote().get();
 * }</pre>
 *
 * @param <A> type of the actor
 */
public final class ActorHandle<A> implements ActorTaskCalls<A> {

    private final RayApi ray;
    private final int number;
    private final String name;
    /** The owner as far as this handle knows, kept reachable; null in normal mode. */
    private volatile BatchScope owner;

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

    /** {@return its number and name} */
    @Override
    public String toString() {
        return "actor " + number + " (" + name + ")";
    }
}
