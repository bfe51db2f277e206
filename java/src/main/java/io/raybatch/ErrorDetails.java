package io.raybatch;

/**
 * What an exception concerns, besides its message.
 *
 * @param batch 0 for none
 * @param object 20 bytes, or null
 * @param facts figures that belong to the code, or null
 * @param cause or null
 * @param endReason why the batch ended whose end caused it, or null
 */
record ErrorDetails(long batch, byte[] object, long[] facts, Throwable cause, EndReason endReason) {

    static final ErrorDetails NONE = new ErrorDetails(0, null, null, null);

    /** For what no batch's end caused. */
    ErrorDetails(long batch, byte[] object, long[] facts, Throwable cause) {
        this(batch, object, facts, cause, null);
    }

    static ErrorDetails of(ObjectId object) {
        return new ErrorDetails(object.batch(), object.toBytes(), null, null);
    }

    static ErrorDetails of(Throwable cause) {
        return new ErrorDetails(0, null, null, cause);
    }

    static ErrorDetails ofEnd(ObjectId object, EndReason reason) {
        return new ErrorDetails(object.batch(), object.toBytes(), null, null, reason);
    }

    static ErrorDetails ofEnd(long batch, EndReason reason) {
        return new ErrorDetails(batch, null, null, null, reason);
    }

    /** The figure at {@code at}, or -1 where it is not known. */
    long fact(int at) {
        return facts != null && at < facts.length ? facts[at] : -1;
    }
}
