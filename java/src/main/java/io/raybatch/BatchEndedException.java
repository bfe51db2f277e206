package io.raybatch;

/** The batch has ended and takes no new work; the message says who ended it. */
public final class BatchEndedException extends RayException {

    private static final long serialVersionUID = 1;

    BatchEndedException(String message, ErrorDetails details) {
        super(ErrorCode.BATCH_ENDED, message, details);
    }
}
