package io.raybatch;

/**
 * The task failed. The cause is what it threw, as far as that can be carried from there to here; where its class cannot be
 * read, a {@link RemoteException} stands for it. {@link #remoteStackTrace()} is the trace as it was printed there.
 */
public final class TaskException extends RayException {

    private static final long serialVersionUID = 1;

    /** The task's name. */
    private final String task;

    /** The thread that ran it. */
    private final String thread;

    /** As printed there. */
    private final String remoteStackTrace;

    TaskException(String message, String task, String thread, String remoteStackTrace, ErrorDetails details) {
        super(ErrorCode.TASK_FAILED, message, details);
        this.task = task;
        this.thread = thread;
        this.remoteStackTrace = remoteStackTrace;
    }

    /** {@return the name of the task that failed first} */
    public String taskName() {
        return task;
    }

    /** {@return the name of the thread that ran it} */
    public String thread() {
        return thread;
    }

    /** {@return what the task threw, with its causes, as printed where it was thrown} */
    public String remoteStackTrace() {
        return remoteStackTrace;
    }
}
