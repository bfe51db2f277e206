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

/**
 * Getting each of n objects, nanoseconds each: its bytes are copied into the caller's array, the first and the last of them
 * read. In the order of the puts, or shuffled, which is as random as access can be: each is a miss in every cache.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Gets {

    /** Of the row. */
    @Param("heap")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row. */
    @Param("1000")
    public int count;

    /** Of the row. */
    @Param("in-order")
    public String order;

    private Subject measured;
    private int[] numbers;
    private byte[] into;

    /** Puts what is got. */
    @Setup(Level.Trial)
    public void open() {
        measured = Subjects.of(subject);
        measured.begin(count, size);
        Loops.put(measured, Loops.payload(size), 0, count);
        numbers = Loops.numbers(count, order.equals("shuffled"));
        into = new byte[size];
        System.gc(); // the heap's objects where they would be after a while, not where the next collection moves them
    }

    /** {@return a sum, lest the gets be for nothing} */
    @Benchmark
    public long get() {
        return Loops.get(measured, numbers, into);
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        measured.releaseAll();
        measured.close();
    }
}
