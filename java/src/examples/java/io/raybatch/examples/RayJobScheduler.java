package io.raybatch.examples;

import io.raybatch.Batch;
import io.raybatch.Ray;

/**
 * The scheduler that batches were asked for: a job is a batch. What a job puts belongs to its batch, and goes when the job
 * is finished, except what the job kept.
 *
 * <p>It works on the default instance of {@link Ray}. Safe for many threads.
 */
public final class RayJobScheduler {

    private JobSchedulerContext context;

    /**
     * Makes the scheduler ready. To be called once, before anything else.
     *
     * @param jobSchedulerContext where job ids come from
     */
    public void init(JobSchedulerContext jobSchedulerContext) {
        context = jobSchedulerContext;
        Ray.init();
    }

    /**
     * Starts a job: its batch, then its driver, in the calling thread. The job stays until {@link #finishJob}, also when the
     * driver has returned. A driver that throws has its batch ended and collected.
     *
     * @param driver of the job
     */
    public void scheduleJob(IRayaJobDriver driver) {
        long jobId = context.nextJobId();
        Batch batch = Ray.startBatch(jobId);
        try {
            driver.start(jobId, batch);
        } catch (RuntimeException | Error e) {
            Ray.destroyBatch(jobId);
            throw e;
        }
    }

    /**
     * Ends a job.
     *
     * @param jobId as the driver was told
     * @param jobRes what came of it
     */
    public void finishJob(Long jobId, JobRes jobRes) {
        Ray.endBatch(jobId);
        if (jobRes.doGc) {
            Ray.gc(jobId);
        }
    }
}
