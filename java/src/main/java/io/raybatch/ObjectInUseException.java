package io.raybatch;

/** Somebody holds the object: a writer or a reader has to let go first. */
public final class ObjectInUseException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectInUseException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_IN_USE, message, details);
    }
}
