package io.raybatch;

/** The id is taken. */
public final class ObjectExistsException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectExistsException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_EXISTS, message, details);
    }
}
