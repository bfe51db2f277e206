package io.raybatch;

/** What may be evicted when the store is full. */
public enum Eviction {
    /** Objects of normal mode, least recently used first; a batch's objects live as long as their batch. */
    BATCH,
    /**
     * Anything unpinned, least recently used first, whatever its batch: how the old store worked, for comparison.
     * Ending and collecting a batch then releases nothing.
     */
    LRU
}
