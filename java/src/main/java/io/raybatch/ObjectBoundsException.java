package io.raybatch;

/** A position or range outside of the object, or of the array or buffer given for it. */
public final class ObjectBoundsException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectBoundsException(String message, ErrorDetails details) {
        super(ErrorCode.OUT_OF_BOUNDS, message, details);
    }
}
