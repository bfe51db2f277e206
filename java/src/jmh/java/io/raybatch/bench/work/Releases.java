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
 * Releasing n objects so that their memory can be used again, nanoseconds in all. Each shot follows n puts, which are not
 * timed. What is on the heap is dropped and collected ({@code System.gc()}): before that nothing of it can be used again.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Releases {

    /** From here on, puts are in bulk: only those who have that get so many objects. */
    private static final int MANY = 4_000_000;

    private static final int BULK = 10_000;
    private static final int FEW = 10;
    private static final long PRACTICE_NANOS = 2_000_000_000L;

    /** Of the row. */
    @Param("heap")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row. */
    @Param("1000")
    public int count;

    private Subject measured;

    /** Opens the subject. Another one releases small requests for a while: in a service, releasing is compiled code. */
    @Setup(Level.Trial)
    public void open() {
        byte[] bytes = Loops.payload(size);
        try (Subject practised = Subjects.of(subject)) {
            for (long end = System.nanoTime() + PRACTICE_NANOS; System.nanoTime() < end; ) {
                practised.begin(FEW, size);
                Loops.put(practised, bytes, 0, FEW);
                practised.releaseAll();
            }
        }
        measured = Subjects.of(subject);
    }

    /** Puts what is released. */
    @Setup(Level.Invocation)
    public void put() {
        measured.begin(count, size);
        if (count < MANY) {
            Loops.put(measured, Loops.payload(size), 0, count);
        } else {
            byte[] many = Loops.payload(size * BULK);
            for (int number = 0; number < count; number += BULK) {
                measured.putAll(number, many, size, Math.min(BULK, count - number));
            }
        }
    }

    /** Releases all. */
    @Benchmark
    public void release() {
        measured.releaseAll();
        if (measured.onHeap()) {
            System.gc();
        }
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        measured.close();
    }
}
