package io.raybatch;

/** No such object. */
public final class ObjectNotFoundException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectNotFoundException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_NOT_FOUND, message, details);
    }
}
