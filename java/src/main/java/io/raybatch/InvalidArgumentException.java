package io.raybatch;

/** An argument that no state of the store would make right. */
public final class InvalidArgumentException extends RayException {

    private static final long serialVersionUID = 1;

    InvalidArgumentException(String message, ErrorDetails details) {
        super(ErrorCode.INVALID_ARGUMENT, message, details);
    }
}
