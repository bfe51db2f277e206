package io.raybatch;

/**
 * An actor that is about to be created: told options, and started with {@link #remote()}. For one thread.
 *
 * @param <A> type of the actor
 */
public final class ActorCreator<A> {

    /** As often as needed. */
    static final int UNLIMITED = -1;
    /** Fault tolerant if it is {@link Checkpointable}. */
    private static final int AS_ITS_CLASS_SAYS = -1;

    private final RayApi ray;
    private final Object constructor;
    private final Object[] arguments;
    private BatchScope scope;
    private String name;
    private int restarts = UNLIMITED;
    private int faultTolerant = AS_ITS_CLASS_SAYS;
    private CheckpointPolicy checkpoints = CheckpointPolicy.balanced();

    /**
     * An actor to be.
     *
     * @param scope null for the batch that is current when it is started
     * @param arguments not to be written to any more
     */
    ActorCreator(RayApi ray, BatchScope scope, Object constructor, Object[] arguments) {
        this.ray = ray;
        this.scope = scope;
        this.constructor = Checks.notNull("the constructor", constructor);
        this.arguments = arguments;
    }

    /**
     * Creates it in a batch, whatever is current. That batch owns it: it dies with the batch, unless that keeps it.
     *
     * @param batch which takes new work
     * @return this
     */
    public ActorCreator<A> batch(Batch batch) {
        this.scope = Checks.notNull("batch", batch).scope();
        return this;
    }

    /**
     * Names the actor, for exceptions and {@link BatchStatus}.
     *
     * @param name need not be unique
     * @return this
     */
    public ActorCreator<A> name(String name) {
        this.name = name;
        return this;
    }

    /**
     * Sets how often it is rebuilt when its instance is lost. Counts only for an actor that is {@linkplain #faultTolerant
     * fault tolerant}.
     *
     * @param times 0 or more; as often as needed unless set
     * @return this
     */
    public ActorCreator<A> restarts(int times) {
        this.restarts = Checks.within("restarts", times, 0, Integer.MAX_VALUE);
        return this;
    }

    /**
     * Sets whether its state is rebuilt when its instance is lost: from the last checkpoint, by running again what came after.
     * Where it is not, losing it is the end of it: what asks for it gets {@link ActorDiedException}, what its tasks did is not
     * remembered, and no batch waits for another because of it.
     *
     * <p>Unless this is set, an actor is fault tolerant if it is {@link Checkpointable}. One that is not may be declared fault
     * tolerant: it is constructed again, and all its tasks run again in order. For that the records of the tasks, 4 KiB or more for
     * each batch that calls it, are kept as long as the actor lives, up to a bound: when more than 4,096 tasks, or tasks of more
     * than 1,024 batches, have run since its last checkpoint, all of them are forgotten. From then until its next checkpoint, and
     * so for good if it is not {@link Checkpointable}, losing its instance is the end of it, and {@link ActorDiedException} says
     * so; results of forgotten tasks that were freed are not reconstructed.
     *
     * @param tolerant true for an actor that is to be rebuilt
     * @return this
     */
    public ActorCreator<A> faultTolerant(boolean tolerant) {
        this.faultTolerant = tolerant ? 1 : 0;
        return this;
    }

    /**
     * Sets when it saves its state, if it is {@link Checkpointable}.
     *
     * @param policy {@link CheckpointPolicy#balanced()} unless set
     * @return this
     */
    public ActorCreator<A> checkpoints(CheckpointPolicy policy) {
        this.checkpoints = Checks.notNull("the checkpoint policy", policy);
        return this;
    }

    /**
     * Creates it. Its constructor runs as its first task.
     *
     * @return a handle
     * @throws BatchEndedException when the batch has ended
     */
    public ActorHandle<A> remote() {
        return ray.actors().create(this);
    }

    RayApi ray() {
        return ray;
    }

    /** Null for the batch that is current. */
    BatchScope scope() {
        return scope;
    }

    Object constructor() {
        return constructor;
    }

    Object[] arguments() {
        return arguments;
    }

    /** Null if it has none. */
    String name() {
        return name;
    }

    int restarts() {
        return restarts;
    }

    /** 1, 0, or -1 for what its class says. */
    int faultTolerant() {
        return faultTolerant;
    }

    CheckpointPolicy checkpoints() {
        return checkpoints;
    }

    /** {@return its name, or that of its constructor} */
    @Override
    public String toString() {
        return name == null ? FunctionNames.of(constructor) : name;
    }
}
