package io.raybatch;

/** The {@link RayApi}, its store, or the handle that was used is closed. */
public final class RayClosedException extends RayException {

    private static final long serialVersionUID = 1;

    RayClosedException(String message, ErrorDetails details) {
        super(ErrorCode.CLOSED, message, details);
    }
}
