package io.raybatch;

/**
 * What {@link Batch#close()} does with the tasks of a batch whose body failed. A {@code close()} cannot see whether the body of a
 * {@code try} statement threw; so a body says that it succeeded by {@link Batch#end()}, its last statement.
 */
public enum OnFailure {
    /** Waits for them, as it does for those of a body that succeeded. */
    WAIT,
    /** Cancels them, if the batch was not ended before. */
    CANCEL
}
