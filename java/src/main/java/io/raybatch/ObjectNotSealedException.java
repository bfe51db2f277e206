package io.raybatch;

/** The object is not sealed yet. */
public final class ObjectNotSealedException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectNotSealedException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_NOT_SEALED, message, details);
    }
}
