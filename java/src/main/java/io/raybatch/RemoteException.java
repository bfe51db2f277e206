package io.raybatch;

/**
 * Stands for what a task threw where that cannot be read again: its class is not serializable, or not here. Has its
 * message, stack trace and causes.
 */
public final class RemoteException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** The class that it stands for. */
    private final String className;

    RemoteException(String className, String message, Throwable cause, StackTraceElement[] trace) {
        super(message == null ? className : className + ": " + message, cause, true, true);
        this.className = className;
        setStackTrace(trace);
    }

    /** {@return the name of the class of what was thrown} */
    public String className() {
        return className;
    }
}
