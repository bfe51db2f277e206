package io.raybatch.bench.work;

import io.raybatch.bench.subject.TaskSubject;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** A task is submitted, and its result got, one after the other: from one thread to another and back. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TaskRoundTrips {

    /** Of the row. */
    @Param("raybatch-direct")
    public String subject;

    /** Of the row: a task takes nothing, and nothing but a number comes of it. */
    @Param("0")
    public int size;

    /** Of the row: tasks. */
    @Param("1000")
    public int count;

    private TaskSubject measured;

    /** Opens the subject, and its request. */
    @Setup(Level.Iteration)
    public void open() {
        measured = TaskSubject.of(subject);
        measured.begin(count);
    }

    /**
     * There and back.
     *
     * @return the result
     * @throws InterruptedException never
     * @throws ExecutionException never
     */
    @Benchmark
    public int roundTrip() throws InterruptedException, ExecutionException {
        return measured.roundTrip();
    }

    /** Ends the request. */
    @TearDown(Level.Iteration)
    public void release() {
        measured.releaseAll();
        measured.close();
    }
}
