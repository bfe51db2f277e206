package io.raybatch;

/**
 * A limit of the batch, of one it lies in, or of its {@link ResourceGroup} or one around that, would be exceeded. Nothing was
 * stored, nothing was lost. The message names each of them, with its use and its limit.
 */
public final class BatchLimitException extends RayException {

    private static final long serialVersionUID = 1;

    /** In bytes or objects; -1 if not known. */
    private final long limit;

    /** Of the limit; -1 if not known. */
    private final long used;

    /** Beyond what was used; -1 if not known. */
    private final long requested;

    BatchLimitException(String message, ErrorDetails details) {
        super(ErrorCode.BATCH_LIMIT, message, details);
        this.limit = details.fact(0);
        this.used = details.fact(1);
        this.requested = details.fact(2);
    }

    /** {@return the limit, in bytes or objects, or a priority, as the message says; -1 if not known} */
    public long limit() {
        return limit;
    }

    /** {@return what of it was used; for a priority the limit again; -1 if not known} */
    public long used() {
        return used;
    }

    /** {@return what was asked for; -1 if not known} */
    public long requested() {
        return requested;
    }
}
