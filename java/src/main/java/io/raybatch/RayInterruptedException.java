package io.raybatch;

/** The thread was interrupted while it waited; its interrupted flag is set again. */
public final class RayInterruptedException extends RayException {

    private static final long serialVersionUID = 1;

    RayInterruptedException(String message, ErrorDetails details) {
        super(ErrorCode.INTERRUPTED, message, details);
    }
}
