package io.raybatch.examples.demo;

import io.raybatch.BatchStatus;
import io.raybatch.Eviction;
import io.raybatch.ObjectRef;
import io.raybatch.Ray;
import io.raybatch.RayConfig;
import io.raybatch.examples.JobRes;
import io.raybatch.examples.JobSchedulerContext;
import io.raybatch.examples.RayJobScheduler;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Serves all requests once, beside the long job, in a store of its own. */
final class Run {

    /** The long job reads after every fifth request. */
    private static final int READ_EVERY = 5;
    private static final int READS = 256;
    private static final JobRes DONE = new JobRes(true);

    private final Requests requests;
    private final long[][] answers;
    private final Mode mode;
    private final Budget budget;
    private final long storeBytes;
    private long endNanos;
    private long objects;
    private long tasks;
    private long mostTasks;
    private int cancelled;

    private Run(Requests requests, long[][] answers, Mode mode, Budget budget, long storeBytes) {
        this.requests = requests;
        this.answers = answers;
        this.mode = mode;
        this.budget = budget;
        this.storeBytes = storeBytes;
    }

    /** Told of each request that is done, the first being 1. */
    @FunctionalInterface
    interface Listener {

        void served(int requests, double millis, long rebuilt);
    }

    /**
     * Opens the store, serves the requests, closes the store.
     *
     * @param spill where batches go when memory is short; null for a store in which all fits
     * @throws IllegalStateException when an answer is wrong or the long job's object is not what was put
     */
    static RunResult run(Requests requests, long[][] answers, Mode mode, Budget budget, long storeBytes, Path spill,
            Listener listener) {
        // No request pays for memory used for the first time: all of it is allocated, and what is given back stays warm.
        RayConfig.Builder config =
                RayConfig.builder().storeSize(storeBytes).warmReserve(storeBytes).preTouch(true).eviction(mode.eviction());
        if (spill != null) {
            config.spillDirectory(spill);
        }
        Ray.init(config.build());
        try {
            return new Run(requests, answers, mode, budget, storeBytes).serve(listener);
        } finally {
            Ray.shutdown();
        }
    }

    private RunResult serve(Listener listener) {
        RayJobScheduler scheduler = new RayJobScheduler();
        scheduler.init(new JobSchedulerContext(1));
        SignatureJob longJob = new SignatureJob(requests.graph(), requests.seed());
        scheduler.scheduleJob(longJob);

        List<ObjectRef<long[]>> kept = new ArrayList<>();
        double[] latencies = new double[requests.count()];
        JvmCollections before = JvmCollections.now();
        Timeline timeline = Timeline.start();
        try (timeline;
                ShortJob request = shortJob(timeline::sample)) {
            long began = System.nanoTime();
            for (int i = 0; i < latencies.length; i++) {
                long asked = System.nanoTime();
                scheduler.scheduleJob(request.from(requests.start(i)));
                long ending = System.nanoTime();
                if (request.answer() == null) {
                    Ray.destroyBatch(request.jobId()); // cancelled: what is left is to wait for the tasks that run
                } else {
                    scheduler.finishJob(request.jobId(), DONE);
                }
                endNanos += System.nanoTime() - ending;
                latencies[i] = (System.nanoTime() - asked) / 1e6;
                timeline.sample();
                count(request);
                if (request.answer() != null) {
                    check(i, request);
                    kept.add(request.answer());
                    objects += requests.size(i);
                }
                if ((i + 1) % READ_EVERY == 0) {
                    longJob.read(READS);
                }
                listener.served(i + 1, latencies[i], longJob.rebuilt());
            }
            double wall = (System.nanoTime() - began) / 1e9;
            // what lies in files is in use as well
            long end = timeline.sample() + Ray.instance().stats().spilledBytes();
            timeline.close();
            JvmCollections jvm = JvmCollections.now().since(before);
            Arrays.sort(latencies);
            return result(longJob, request, kept, latencies, wall, end, jvm, timeline);
        } finally {
            scheduler.finishJob(longJob.jobId(), DONE);
        }
    }

    private ShortJob shortJob(Runnable allPut) {
        return switch (mode) {
            // The old store has one lock for all: a second thread makes it slower.
            case LRU -> new GraphRequest(requests.graph(), requests.largest(), 1, allPut);
            case BATCH -> new GraphRequest(
                    requests.graph(), requests.largest(), Runtime.getRuntime().availableProcessors(), allPut);
            case TASKS -> new TaskRequest(requests.graph(), budget, allPut);
        };
    }

    private void count(ShortJob request) {
        tasks += request.tasks();
        mostTasks = Math.max(mostTasks, request.tasks());
        cancelled += request.answer() == null ? 1 : 0;
    }

    private void check(int i, ShortJob request) {
        if (!Arrays.equals(request.sum(), answers[i])) {
            throw new IllegalStateException("request " + (i + 1) + " (" + mode.label() + "), from node " + requests.start(i)
                    + ": the answer from the store is " + Arrays.toString(request.sum()) + ", and must be "
                    + Arrays.toString(answers[i]));
        }
    }

    private RunResult result(SignatureJob longJob, ShortJob request, List<ObjectRef<long[]>> kept, double[] latencies,
            double wall, long end, JvmCollections jvm, Timeline timeline) {
        int present = longJob.present();
        long aBytes = (long) present * SignatureJob.BYTES;
        int answersKept = 0;
        for (ObjectRef<long[]> ref : kept) {
            answersKept += Ray.contains(ref) ? 1 : 0;
        }
        BatchStatus status = Ray.status(longJob.jobId());
        if (mode.eviction() == Eviction.BATCH && status.bytes() != aBytes) {
            throw new IllegalStateException("the store says that the long job's batch holds " + status.bytes()
                    + " bytes, but " + present + " of its objects are there");
        }
        return new RunResult(
                mode,
                budget.millis(),
                objects,
                wall,
                latencies,
                longJob.rebuilt() + SignatureJob.OBJECTS - present,
                longJob.rebuilt(),
                longJob.rebuildMillis(),
                timeline.peak(),
                end,
                aBytes,
                (long) answersKept * Features.BYTES,
                answersKept,
                request.lost(),
                request.putMillis(),
                request.readMillis(),
                endNanos / 1e6,
                Ray.instance().stats().evictedObjects(),
                Ray.instance().stats().spillWritten(),
                storeBytes,
                jvm,
                mode == Mode.TASKS ? new RunTasks(tasks, mostTasks, cancelled) : null,
                timeline.seconds(),
                timeline.used());
    }
}
