package io.raybatch;

/** A batch cannot be rolled back: another one used its actor since, or there is no checkpoint of its beginning. */
public final class RollbackException extends RayException {

    private static final long serialVersionUID = 1;

    RollbackException(String message, ErrorDetails details) {
        super(ErrorCode.ROLLBACK, message, details);
    }
}
