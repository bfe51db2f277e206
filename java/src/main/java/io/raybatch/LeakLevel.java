package io.raybatch;

/**
 * How much is said about batches that nobody can reach any more. They are ended and collected at every level; the
 * levels are about the report, and what it costs to be able to make it. The names are Netty's.
 */
public enum LeakLevel {
    /** No report. */
    DISABLED,
    /** Name, id, thread, age, live objects and bytes. Costs nothing that can be measured; the default. */
    SIMPLE,
    /** And where the batch was started: one stack trace for each start. */
    ADVANCED,
    /** And the last places where its handle was used: one stack trace for each use. For tests. */
    PARANOID
}
