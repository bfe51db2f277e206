package io.raybatch.examples;

import io.raybatch.Batch;

/** What a job does. */
@FunctionalInterface
public interface IRayaJobDriver {

    /**
     * Works, or starts to: the job's batch stays open until the job is finished.
     *
     * @param jobId of the job, and of its batch
     * @param batch owns what the job puts; it is current in the calling thread
     */
    void start(long jobId, Batch batch);
}
