package io.raybatch;

/**
 * What a collection gave back.
 *
 * @param objects objects that are gone
 * @param bytes their payload
 * @param deferred of what a reader still held: it goes with the reader's release
 */
public record GcResult(long objects, long bytes, long deferred) {

    /** Nothing: there was none, or all had been collected before. */
    public static final GcResult NONE = new GcResult(0, 0, 0);

    static GcResult of(long[] figures) {
        return figures[0] == 0 && figures[1] == 0 && figures[2] == 0
                ? NONE
                : new GcResult(figures[0], figures[1], figures[2]);
    }
}
