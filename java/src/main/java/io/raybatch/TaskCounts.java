package io.raybatch;

/**
 * A batch's tasks by state.
 *
 * @param waiting for arguments
 * @param ready to run
 * @param running now
 * @param done with their results
 * @param failed with an exception, or with a failed argument
 * @param cancelled before they were over
 */
public record TaskCounts(long waiting, long ready, long running, long done, long failed, long cancelled) {

    /** No tasks. */
    public static final TaskCounts NONE = new TaskCounts(0, 0, 0, 0, 0, 0);

    /** {@return how many are not over} */
    public long active() {
        return waiting + ready + running;
    }
}
