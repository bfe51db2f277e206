package io.raybatch;

/**
 * A task waits for a result that cannot be made before that task goes on: a method of an actor gets the result of another
 * method of the same actor, or tasks wait for each other in a circle. The message names the tasks and actors of the cycle in
 * order. It is thrown at once, by the wait that closes the cycle; the others go on when that task ends.
 *
 * <p>To avoid it, take the result as an argument of a further task, or wait for it outside of the tasks that it needs.
 */
public final class DeadlockException extends RayException {

    private static final long serialVersionUID = 1;

    /** Serial and slot of each task that the message names by an id; null where it has their names. */
    private final transient long[] tasks;

    DeadlockException(String message, ErrorDetails details) {
        super(ErrorCode.DEADLOCK, message, details);
        this.tasks = details.facts();
    }

    /** The same, whose message has the names of the tasks. */
    DeadlockException named(EmbeddedEngine engine) {
        return new DeadlockException(engine.named(getMessage(), tasks), ErrorDetails.NONE);
    }
}
