package io.raybatch.examples;

/** How a job ended. */
public final class JobRes {

    /** Whether the job's objects are to be released now, all at once. */
    public final boolean doGc;

    /**
     * A result.
     *
     * @param doGc whether the job's objects are to be released now
     */
    public JobRes(boolean doGc) {
        this.doGc = doGc;
    }
}
