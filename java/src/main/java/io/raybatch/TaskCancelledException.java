package io.raybatch;

/**
 * The task was cancelled, by somebody, or by its batch's end or timeout. Thrown where its result is got, and in the task
 * itself by whatever it asks of raybatch after that.
 */
public final class TaskCancelledException extends RayException {

    private static final long serialVersionUID = 1;

    /** Who; empty if that is not known. */
    private final String by;

    TaskCancelledException(String message, String by, ErrorDetails details) {
        super(ErrorCode.TASK_CANCELLED, message, details);
        this.by = by;
    }

    /** {@return who cancelled it: a thread's name, or what else it was; empty if that is not known} */
    public String cancelledBy() {
        return by;
    }
}
