package io.raybatch.bench;

import io.raybatch.bench.work.BulkPuts;
import io.raybatch.bench.work.Cycles;
import io.raybatch.bench.work.Gets;
import io.raybatch.bench.work.HeldMemory;
import io.raybatch.bench.work.LiveBatches;
import io.raybatch.bench.work.Puts;
import io.raybatch.bench.work.ReaderTail;
import io.raybatch.bench.work.Releases;
import io.raybatch.bench.work.Scaling;
import io.raybatch.bench.work.TaskReleases;
import io.raybatch.bench.work.TaskRoundTrips;
import io.raybatch.bench.work.TaskRuns;
import io.raybatch.bench.work.TinyBatches;

/** A kind of work, and what its figure is. */
enum Work {
    PUT(Puts.class, "ns", Kind.TIME),
    PUT_BULK(BulkPuts.class, "ns", Kind.TIME),
    GET(Gets.class, "ns", Kind.TIME),
    CYCLE(Cycles.class, "ns", Kind.FIGURE),
    RELEASE(Releases.class, "ns", Kind.SHOT),
    MEMORY(HeldMemory.class, "bytes", Kind.FIGURE),
    TINY_BATCH(TinyBatches.class, "ns", Kind.TIME),
    LIVE_BATCHES(LiveBatches.class, "bytes", Kind.FIGURE),
    SCALING(Scaling.class, "ratio", Kind.FIGURE),
    READER_P999(ReaderTail.class, "ratio", Kind.FIGURE),
    TASK_ROUND_TRIP(TaskRoundTrips.class, "ns", Kind.TIME),
    TASK_RUN(TaskRuns.class, "ns", Kind.SHOT),
    TASK_RELEASE(TaskReleases.class, "ns", Kind.SHOT);

    /** How a benchmark's samples come about. */
    enum Kind {
        /** An iteration's mean time of an invocation, many to an iteration. */
        TIME,
        /** The time of the iteration's one invocation. */
        SHOT,
        /** What the iteration's one invocation measured itself. */
        FIGURE
    }

    private final Class<?> benchmark;
    private final String unit;
    private final Kind kind;

    Work(Class<?> benchmark, String unit, Kind kind) {
        this.benchmark = benchmark;
        this.unit = unit;
        this.kind = kind;
    }

    Class<?> benchmark() {
        return benchmark;
    }

    /** {@return of one object, batch or task; {@code ratio} is without one} */
    String unit() {
        return unit;
    }

    Kind kind() {
        return kind;
    }

    /** {@return as in {@code results.json}} */
    String label() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }
}
