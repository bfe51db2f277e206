package io.raybatch;

/** As many tasks are pending as may be, and waiting for room would be for ever: all that could make room waits for it.
 * {@link RayConfig.Builder#maxPendingTasks} allows more; a task that gets results before it submits more needs less. */
public final class TooManyTasksException extends RayException {

    private static final long serialVersionUID = 1;

    TooManyTasksException(String message, ErrorDetails details) {
        super(ErrorCode.TOO_MANY_TASKS, message, details);
    }
}
