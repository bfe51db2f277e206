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
    private final Eviction eviction;
    private final long storeBytes;
    private long endNanos;

    private Run(Requests requests, long[][] answers, Eviction eviction, long storeBytes) {
        this.requests = requests;
        this.answers = answers;
        this.eviction = eviction;
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
    static RunResult run(
            Requests requests, long[][] answers, Eviction eviction, long storeBytes, Path spill, Listener listener) {
        // No request pays for memory used for the first time: all of it is allocated, and what is given back stays warm.
        RayConfig.Builder config =
                RayConfig.builder().storeSize(storeBytes).warmReserve(storeBytes).preTouch(true).eviction(eviction);
        if (spill != null) {
            config.spillDirectory(spill);
        }
        Ray.init(config.build());
        try {
            return new Run(requests, answers, eviction, storeBytes).serve(listener);
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
        long objects = 0;
        JvmCollections before = JvmCollections.now();
        Timeline timeline = Timeline.start();
        // The old store has one lock for all: a second thread makes it slower.
        int threads = eviction == Eviction.LRU ? 1 : Runtime.getRuntime().availableProcessors();
        try (timeline;
                GraphRequest request =
                        new GraphRequest(requests.graph(), requests.largest(), threads, timeline::sample)) {
            long began = System.nanoTime();
            for (int i = 0; i < latencies.length; i++) {
                long asked = System.nanoTime();
                scheduler.scheduleJob(request.from(requests.start(i)));
                long ending = System.nanoTime();
                scheduler.finishJob(request.jobId(), DONE);
                endNanos += System.nanoTime() - ending;
                latencies[i] = (System.nanoTime() - asked) / 1e6;
                timeline.sample();
                check(i, request);
                kept.add(request.answer());
                objects += requests.size(i);
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
            return result(longJob, request, kept, latencies, objects, wall, end, jvm, timeline);
        } finally {
            scheduler.finishJob(longJob.jobId(), DONE);
        }
    }

    private void check(int i, GraphRequest request) {
        if (!Arrays.equals(request.sum(), answers[i])) {
            throw new IllegalStateException("request " + (i + 1) + " (" + mode() + "), from node " + requests.start(i)
                    + ": the answer from the store is " + Arrays.toString(request.sum()) + ", and must be "
                    + Arrays.toString(answers[i]));
        }
    }

    private RunResult result(SignatureJob longJob, GraphRequest request, List<ObjectRef<long[]>> kept, double[] latencies,
            long objects, double wall, long end, JvmCollections jvm, Timeline timeline) {
        int present = longJob.present();
        long aBytes = (long) present * SignatureJob.BYTES;
        int answersKept = 0;
        for (ObjectRef<long[]> ref : kept) {
            answersKept += Ray.contains(ref) ? 1 : 0;
        }
        BatchStatus status = Ray.status(longJob.jobId());
        if (eviction == Eviction.BATCH && status.bytes() != aBytes) {
            throw new IllegalStateException("the store says that the long job's batch holds " + status.bytes()
                    + " bytes, but " + present + " of its objects are there");
        }
        return new RunResult(
                mode(),
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
                timeline.seconds(),
                timeline.used());
    }

    private String mode() {
        return eviction == Eviction.LRU ? "lru" : "batch";
    }
}
