package io.raybatch;

/**
 * The batch's {@linkplain BatchOptions.Builder#timeout time} is over, or that of a batch around it. Thrown by whichever call meets that
 * first: new work, a wait for a result, a look at an object that was collected, and whatever a task asks of raybatch after its batch
 * timed out. The message names the batch whose timeout it was.
 */
public final class BatchTimedOutException extends BatchEndedException {

    private static final long serialVersionUID = 1;

    BatchTimedOutException(String message, ErrorDetails details) {
        super(ErrorCode.BATCH_TIMED_OUT, message, details);
    }
}
