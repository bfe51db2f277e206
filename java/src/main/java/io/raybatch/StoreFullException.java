package io.raybatch;

/**
 * There is no room for the object, not even after evicting what may be evicted; or what is left is for those who are below
 * their fair share, and the batch's {@link ResourceGroup} is above its own. The message lists the batches that hold most: end
 * some, or open the store with more memory.
 */
public final class StoreFullException extends RayException {

    private static final long serialVersionUID = 1;

    /** Bytes asked for; -1 if not known. */
    private final long needed;

    /** Bytes free; -1 if not known. */
    private final long free;

    /** Bytes of the largest free piece; -1 if not known. */
    private final long largestRun;

    StoreFullException(String message, ErrorDetails details) {
        super(ErrorCode.STORE_FULL, message, details);
        this.needed = details.fact(0);
        this.free = details.fact(1);
        this.largestRun = details.fact(2);
    }

    /** {@return the bytes that were asked for, -1 if not known} */
    public long needed() {
        return needed;
    }

    /** {@return the bytes that were free, not necessarily in one piece; -1 if not known} */
    public long free() {
        return free;
    }

    /** {@return the bytes of the largest free piece, -1 if not known} */
    public long largestRun() {
        return largestRun;
    }
}
