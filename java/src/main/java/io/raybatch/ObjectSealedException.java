package io.raybatch;

/** The object is sealed, and immutable from then on. */
public final class ObjectSealedException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectSealedException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_SEALED, message, details);
    }
}
