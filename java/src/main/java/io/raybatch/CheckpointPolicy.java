package io.raybatch;

/**
 * When an actor that is {@link Checkpointable} saves its state by itself. A checkpoint bounds what must be run again when the
 * instance is lost, and lets batches that used the actor before go with all their records. {@link RayApi#checkpoint} and {@link
 * RayApi#destroyBatch(long, boolean)} save it whatever the policy.
 */
public final class CheckpointPolicy {

    private static final CheckpointPolicy NEVER = new CheckpointPolicy(0, 0, "never");
    private static final CheckpointPolicy AT_BOUNDARIES = new CheckpointPolicy(1, 0, "at boundaries");
    private static final CheckpointPolicy AT_TRANSITIONS = new CheckpointPolicy(2, 0, "at transitions");
    private static final CheckpointPolicy BALANCED = new CheckpointPolicy(4, 0, "balanced");

    private final int kind;
    private final int every;
    private final String text;

    private CheckpointPolicy(int kind, int every, String text) {
        this.kind = kind;
        this.every = every;
        this.text = text;
    }

    /** {@return only when asked} */
    public static CheckpointPolicy never() {
        return NEVER;
    }

    /** {@return when a batch that used the actor ends} */
    public static CheckpointPolicy atBoundaries() {
        return AT_BOUNDARIES;
    }

    /** {@return before each task of another batch than the last one's} */
    public static CheckpointPolicy atTransitions() {
        return AT_TRANSITIONS;
    }

    /**
     * After so many tasks.
     *
     * @param tasks positive
     * @return the policy
     */
    public static CheckpointPolicy every(int tasks) {
        if (tasks <= 0) {
            throw new InvalidArgumentException("every is " + tasks + " tasks, and must be positive", ErrorDetails.NONE);
        }
        return new CheckpointPolicy(3, tasks, "every " + tasks + " tasks");
    }

    /**
     * The default: before a task of another batch than the last one's, if the tasks since the last checkpoint took eight times
     * as long as that checkpoint did, or are 1000. So checkpoints cost at most an eighth of the work, what must be run again is
     * bounded, and a batch that is over is not held for long by those that used the actor after it.
     *
     * @return the policy
     */
    public static CheckpointPolicy balanced() {
        return BALANCED;
    }

    /** As {@link Native#newActor} numbers them. */
    int kind() {
        return kind;
    }

    /** 0 where it does not matter. */
    int every() {
        return every;
    }

    /** {@return when, in words} */
    @Override
    public String toString() {
        return text;
    }
}
