package io.raybatch;

import java.util.List;

/**
 * A task that is about to be submitted: told options, and started with {@link #remote()}. For one thread. It can be started
 * more than once, each time as a task of its own.
 *
 * @param <R> type of the result
 */
public final class TaskCaller<R> {

    private static final int MOST = 0xffff;
    /** As many slots as the largest block has. */
    private static final int MOST_RETURNS = 256;

    /** The batch's own. */
    static final int NO_PRIORITY = Integer.MIN_VALUE;

    private final RayApi ray;
    private final ActorHandle<?> actor;
    private final Object function;
    private final Object[] arguments;
    private BatchScope scope;
    private String name;
    private int retries;
    private int cpus = 1;
    private int priority = NO_PRIORITY;

    /**
     * A task to be.
     *
     * @param scope null for the batch that is current when it is started
     * @param actor null for a task that is none of an actor
     * @param arguments not to be written to any more
     */
    TaskCaller(RayApi ray, BatchScope scope, ActorHandle<?> actor, Object function, Object[] arguments) {
        this.ray = ray;
        this.scope = scope;
        this.actor = actor;
        this.function = Checks.notNull("the function", function);
        this.arguments = arguments;
    }

    /**
     * Submits it to a batch, whatever is current.
     *
     * @param batch which takes new work
     * @return this
     */
    public TaskCaller<R> batch(Batch batch) {
        this.scope = Checks.notNull("batch", batch).scope();
        return this;
    }

    /**
     * Names the task, for exceptions and logs. Otherwise it is named after its method.
     *
     * @param name need not be unique
     * @return this
     */
    public TaskCaller<R> name(String name) {
        this.name = name;
        return this;
    }

    /**
     * Has the task run again when it fails with an exception. Not for an actor's task, which may have changed its state.
     *
     * @param times 0, unless set, … 65535
     * @return this
     */
    public TaskCaller<R> retries(int times) {
        this.retries = Checks.within("retries", times, 0, MOST);
        return this;
    }

    /**
     * Sets how many of the engine's slots it occupies while it runs, for a task that uses several threads of its own.
     *
     * @param slots 1, unless set, … {@link RayConfig#taskSlots()}
     * @return this
     */
    public TaskCaller<R> cpus(int slots) {
        this.cpus = Checks.within("cpus", slots, 1, MOST);
        return this;
    }

    /**
     * Sets its priority. What has a higher one runs first.
     *
     * @param priority that of the batch, unless set
     * @return this
     */
    public TaskCaller<R> priority(int priority) {
        this.priority = priority;
        return this;
    }

    /**
     * Submits it. Waits for room where as many tasks are pending as may be.
     *
     * @return a reference to what it will return
     * @throws BatchEndedException when the batch has ended
     * @throws TooManyTasksException when a task would have to wait for room for ever
     * @throws ActorDiedException when the actor is gone
     * @throws RayInterruptedException when the thread is interrupted while waiting for room
     */
    public ObjectRef<R> remote() {
        return ray.tasks().submit(this);
    }

    /**
     * Submits it as a task of several results, each an object of its own: what it returns is a {@code List} or an array of
     * exactly so many.
     *
     * @param returns 1 … 256
     * @param <E> type of the elements
     * @return a reference to each, in order
     */
    public <E> List<ObjectRef<E>> remote(int returns) {
        Checks.within("the number of return values", returns, 1, MOST_RETURNS);
        return ray.tasks().submit(this, returns);
    }

    RayApi ray() {
        return ray;
    }

    /** Null for the batch that is current. */
    BatchScope scope() {
        return scope;
    }

    /** Null for a task that is none of an actor. */
    ActorHandle<?> actor() {
        return actor;
    }

    Object function() {
        return function;
    }

    Object[] arguments() {
        return arguments;
    }

    /** Null if it has none. */
    String name() {
        return name;
    }

    int retries() {
        return retries;
    }

    int cpus() {
        return cpus;
    }

    int priority() {
        return priority;
    }

    /** {@return its name, or that of its method} */
    @Override
    public String toString() {
        return name == null ? FunctionNames.of(function) : name;
    }
}
