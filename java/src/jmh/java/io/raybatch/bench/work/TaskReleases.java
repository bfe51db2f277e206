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

/** A batch closes whose many tasks have ended. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TaskReleases {

    private static final int FEW = 10;
    private static final long PRACTICE_NANOS = 2_000_000_000L;

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

    /**
     * Opens the subject. Another one ends small requests for a while: in a service, ending is compiled code.
     *
     * @throws InterruptedException never
     * @throws ExecutionException never
     */
    @Setup(Level.Trial)
    public void open() throws InterruptedException, ExecutionException {
        try (TaskSubject practised = TaskSubject.of(subject)) {
            for (long end = System.nanoTime() + PRACTICE_NANOS; System.nanoTime() < end; ) {
                practised.begin(FEW);
                practised.runAll(FEW);
                practised.releaseAll();
            }
        }
        measured = TaskSubject.of(subject);
    }

    /**
     * Runs what is released.
     *
     * @throws InterruptedException never
     * @throws ExecutionException never
     */
    @Setup(Level.Invocation)
    public void run() throws InterruptedException, ExecutionException {
        measured.begin(count);
        measured.runAll(count);
    }

    /** Ends the request. */
    @Benchmark
    public void release() {
        measured.releaseAll();
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        measured.close();
    }
}
