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

/** Many tasks are submitted, then the result of each is got. Beginning and ending the request are not timed. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TaskRuns {

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

    /** Opens the subject. */
    @Setup(Level.Trial)
    public void open() {
        measured = TaskSubject.of(subject);
    }

    /** Begins a request. */
    @Setup(Level.Invocation)
    public void begin() {
        measured.begin(count);
    }

    /**
     * All of them.
     *
     * @return the sum of the results
     * @throws InterruptedException never
     * @throws ExecutionException never
     */
    @Benchmark
    public long run() throws InterruptedException, ExecutionException {
        return measured.runAll(count);
    }

    /** Ends the request. */
    @TearDown(Level.Invocation)
    public void release() {
        measured.releaseAll();
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        measured.close();
    }
}
