package io.raybatch.bench.work;

import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.Subjects;
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

/** A small request, whole: begin, a few puts, release; nanoseconds. Only beside those who can begin and release so little. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class TinyBatches {

    /** Of the row. */
    @Param("heap")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row. */
    @Param("10")
    public int count;

    private Subject measured;
    private byte[] bytes;

    /** Opens the subject. */
    @Setup(Level.Trial)
    public void open() {
        measured = Subjects.of(subject);
        bytes = Loops.payload(size);
    }

    /** {@return what was measured, lest it be for nothing} */
    @Benchmark
    public Subject batch() {
        measured.begin(count, size);
        Loops.put(measured, bytes, 0, count);
        measured.releaseAll();
        return measured;
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        measured.close();
    }
}
