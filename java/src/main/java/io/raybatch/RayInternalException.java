package io.raybatch;

/** A defect of raybatch itself, such as a panic of its native side. The store goes on working; please report it. */
public final class RayInternalException extends RayException {

    private static final long serialVersionUID = 1;

    RayInternalException(String message, ErrorDetails details) {
        super(ErrorCode.INTERNAL, message, details);
    }
}
