package io.raybatch;

/**
 * No batch has this id: it was never started, or its record is forgotten ({@link RayConfig.Builder#tombstones}).
 */
public final class BatchNotFoundException extends RayException {

    private static final long serialVersionUID = 1;

    BatchNotFoundException(String message, ErrorDetails details) {
        super(ErrorCode.BATCH_NOT_FOUND, message, details);
    }
}
