package io.raybatch;

/** A batch with this id is live already. */
public final class BatchExistsException extends RayException {

    private static final long serialVersionUID = 1;

    BatchExistsException(String message, ErrorDetails details) {
        super(ErrorCode.BATCH_EXISTS, message, details);
    }
}
