package io.raybatch;

/** The object went with its batch, which the message names together with when it was collected. */
public final class ObjectCollectedException extends RayException {

    private static final long serialVersionUID = 1;

    ObjectCollectedException(String message, ErrorDetails details) {
        super(ErrorCode.OBJECT_COLLECTED, message, details);
    }
}
