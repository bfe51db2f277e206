package io.raybatch;

/**
 * The store as a whole, all clients together. Bytes, unless said.
 *
 * @param capacity what the arena can hold
 * @param used in runs that are lent to batches and to normal mode, bookkeeping included
 * @param live payload of sealed objects, in memory and in files
 * @param leased given to writers in advance, not written yet
 * @param warm free, and kept mapped for the next batch
 * @param largestFreeRun the largest object that fits without evicting anything
 * @param objects sealed objects, a count
 * @param liveBatches batches not collected yet, a count
 * @param evictedObjects evicted since the store was opened, a count
 * @param evictedBytes their payload
 * @param backed of the arena, really backed by memory
 * @param draining of collected batches, still held by readers
 * @param spilledObjects objects that lie in spill files, a count
 * @param spilledBytes their payload, which is a part of {@code live}
 * @param spillFiles the files, with what is not used of them any more
 * @param spillWritten payload written to files since the store was opened
 * @param spillRestored payload taken back from files since then
 * @param spillServed reads answered from a file without taking the object back, a count
 * @param spillErrors writes, reads and removals of files that failed, a count
 * @param records of tasks, those included that stand for an actor that may have to be rebuilt, or for another batch; see
 *     {@link MemoryReport#records()}
 */
public record StoreStats(
        long capacity,
        long used,
        long live,
        long leased,
        long warm,
        long largestFreeRun,
        long objects,
        long liveBatches,
        long evictedObjects,
        long evictedBytes,
        long backed,
        long draining,
        long spilledObjects,
        long spilledBytes,
        long spillFiles,
        long spillWritten,
        long spillRestored,
        long spillServed,
        long spillErrors,
        long records) {

    static StoreStats of(long[] f) {
        return new StoreStats(
                f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10], f[11], f[12], f[13], f[14], f[15],
                f[16], f[17], f[18], f[19]);
    }
}
