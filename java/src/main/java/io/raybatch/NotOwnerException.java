package io.raybatch;

/** The object belongs to another batch, which alone can give it away. */
public final class NotOwnerException extends RayException {

    private static final long serialVersionUID = 1;

    NotOwnerException(String message, ErrorDetails details) {
        super(ErrorCode.NOT_OWNER, message, details);
    }
}
