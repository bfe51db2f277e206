package io.raybatch;

/**
 * The task was cancelled, by somebody, or by its batch's end or timeout. Thrown where its result is got, and in the task
 * itself by whatever it asks of raybatch after that.
 */
public final class TaskCancelledException extends RayException {

    private static final long serialVersionUID = 1;

    private static final String BY = "cancelled by ";

    /** Who or what, in words; empty if that is not known. */
    private final String reason;

    TaskCancelledException(String message, String reason, ErrorDetails details) {
        super(ErrorCode.TASK_CANCELLED, message, details);
        this.reason = reason;
    }

    /** {@return who cancelled it, a thread's name, or why; empty if that is not known} */
    public String cancelledBy() {
        return reason.startsWith(BY) ? reason.substring(BY.length()) : reason;
    }

    String reason() {
        return reason;
    }
}
