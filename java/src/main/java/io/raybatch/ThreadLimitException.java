package io.raybatch;

/**
 * The system has no further thread for this process, and what needs one cannot wait: every thread that runs tasks is blocked in one.
 * The limit is that of the user ({@code ulimit -u}), of the container ({@code --pids-limit}), or of memory. Raise it, or
 * nest fewer tasks that wait for each other.
 */
public final class ThreadLimitException extends RayException {

    private static final long serialVersionUID = 1;

    ThreadLimitException(String message, ErrorDetails details) {
        super(ErrorCode.THREAD_LIMIT, message, details);
    }

    /** A message: what needs a thread, and what can be done. */
    static String what(String needs, Throwable why) {
        return "the system has no further thread for " + needs + (why == null ? "" : " (" + why.getMessage() + ")")
                + ": raise the limit of the user (ulimit -u) or of the container (--pids-limit), or nest fewer tasks that wait for"
                + " each other";
    }
}
