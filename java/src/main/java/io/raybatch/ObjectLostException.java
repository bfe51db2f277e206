package io.raybatch;

/** The object was there; its bytes were evicted, freed or deleted and nothing can make them again. */
public final class ObjectLostException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectLostException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_LOST, message, details);
    }
}
