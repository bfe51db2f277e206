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

/** As {@link Puts} in warm memory, many objects to a call, from an array where they lie one after the other. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class BulkPuts {

    /** Bytes of one call's array, at most: in the processor's second cache, as what an application has just read. */
    private static final int ARRAY = 256 << 10;

    /** Of the row. */
    @Param("raybatch-direct")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row. */
    @Param("1000")
    public int count;

    private Subject measured;
    private byte[] bytes;

    /** Makes what is put. */
    @Setup(Level.Trial)
    public void open() {
        bytes = Loops.payload(Math.max(size, ARRAY / size * size));
        measured = Subjects.of(subject);
    }

    /** Begins a request. */
    @Setup(Level.Invocation)
    public void begin() {
        measured.begin(count, size);
    }

    /** n puts. */
    @Benchmark
    public void put() {
        int many = bytes.length / size;
        for (int number = 0; number < count; number += many) {
            measured.putAll(number, bytes, size, Math.min(many, count - number));
        }
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
