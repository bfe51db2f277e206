package io.raybatch;

/** What becomes of objects of normal mode when memory is short, in a store that spills. */
public enum SpillNormalMode {
    /** They are evicted, the least recently used first, as where nothing is spilled. */
    EVICT,
    /** They go to files, before any batch does. */
    SPILL
}
