package io.raybatch.examples.demo;

import java.util.Arrays;

/**
 * What one run came to. Milliseconds and bytes; arrays are not copied.
 *
 * @param mode how the requests were served
 * @param budgetMs what a request may take
 * @param objects of all requests that were not cancelled, each put and read once
 * @param wallSeconds of all requests and of the long job's reads between them
 * @param latencies of each request, cancelled or not, from its start to its end and collection, in milliseconds, ascending
 * @param aEvicted evictions of the long job's objects: those that a read found missing, and those missing after the last request
 * @param aRebuilt objects that were computed and put again
 * @param aRebuildMs the time that took
 * @param peakBytes the most bytes in use
 * @param endBytes bytes in use after the last request, in memory with bookkeeping, and in files
 * @param aBytes payload of the long job's objects that are in the store then
 * @param keptBytes payload of the answers that are in the store then
 * @param answersKept how many those are
 * @param ownLost objects of a request that were evicted before the request had read them
 * @param putMs the time that requests put, of all requests; not a number for tasks, each of which puts and reads
 * @param readMs the time that they read back and summed up; likewise
 * @param endMs the time of their ends and collections
 * @param evicted objects that the store evicted, whoever's
 * @param spilled payload that was written to files, because memory was short
 * @param capacity bytes of the store
 * @param jvm the JVM's collections during the run
 * @param tasks of the requests; null where they did not run as tasks
 * @param seconds when bytes in use were sampled
 * @param used bytes in use at that time
 */
record RunResult(
        Mode mode,
        double budgetMs,
        long objects,
        double wallSeconds,
        double[] latencies,
        long aEvicted,
        long aRebuilt,
        double aRebuildMs,
        long peakBytes,
        long endBytes,
        long aBytes,
        long keptBytes,
        int answersKept,
        long ownLost,
        double putMs,
        double readMs,
        double endMs,
        long evicted,
        long spilled,
        long capacity,
        JvmCollections jvm,
        RunTasks tasks,
        double[] seconds,
        long[] used) {

    int requests() {
        return latencies.length;
    }

    /** Requests that were cancelled at their budget. */
    int cancelled() {
        return tasks == null ? 0 : tasks.cancelled();
    }

    double requestsPerSecond() {
        return requests() / wallSeconds;
    }

    /** Nearest rank: the least latency that this share of the requests did not exceed. */
    double percentile(double share) {
        return percentile(latencies, share);
    }

    static double percentile(double[] ascending, double share) {
        return ascending[(int) Math.max(0, Math.ceil(share * ascending.length) - 1)];
    }

    /** All latencies together. */
    double allMs() {
        return Arrays.stream(latencies).sum();
    }

    double maxMs() {
        return latencies[latencies.length - 1];
    }

    long overBudget() {
        return Arrays.stream(latencies).filter(ms -> ms > budgetMs).count();
    }

    /** How far bytes in use after the last request are from the live ones, as a share of these. */
    double endExcess() {
        return (double) (endBytes - aBytes - keptBytes) / (aBytes + keptBytes);
    }
}
