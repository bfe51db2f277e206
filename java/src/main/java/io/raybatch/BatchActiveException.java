package io.raybatch;

/** The batch is open, or its tasks still run: end it before it is collected. */
public final class BatchActiveException extends RayException {

    private static final long serialVersionUID = 1;

    BatchActiveException(String message, ErrorDetails details) {
        super(ErrorCode.BATCH_ACTIVE, message, details);
    }
}
