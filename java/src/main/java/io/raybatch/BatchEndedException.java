package io.raybatch;

/** The batch has ended and takes no new work; the message names the caller that ended it, and the reason. */
public sealed class BatchEndedException extends RayException permits BatchTimedOutException {

    private static final long serialVersionUID = 1;

    BatchEndedException(String message, ErrorDetails details) {
        this(ErrorCode.BATCH_ENDED, message, details);
    }

    BatchEndedException(ErrorCode code, String message, ErrorDetails details) {
        super(code, message, details);
    }
}
