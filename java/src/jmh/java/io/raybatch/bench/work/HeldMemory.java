package io.raybatch.bench.work;

import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.Subjects;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * Memory that n objects take, beyond their payload, in bytes each: what the subject's own books say it holds outside of the
 * heap (or else by what more is resident), and what more of the heap is in use. The arrays of ids and references, which a
 * caller has anyway, are there before and not counted.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
public class HeldMemory {

    private static final int FEW = 1_000;

    /** Of the row. */
    @Param("heap")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row. */
    @Param("1000")
    public int count;

    /**
     * Puts and looks.
     *
     * @param figure takes the bytes
     */
    @Benchmark
    public void hold(Figure figure) {
        byte[] bytes = Loops.payload(size);
        try (Subject another = Subjects.of(subject)) { // what is loaded once is not the objects'
            another.begin(FEW, 1);
            Loops.put(another, new byte[1], 0, FEW);
            another.releaseAll();
        }
        try (Subject measured = Subjects.of(subject)) {
            measured.begin(count, size);
            long before = held(measured) + ProcessMemory.heap();
            Loops.put(measured, bytes, 0, count);
            figure.value = (held(measured) + ProcessMemory.heap() - before) / (double) count - size;
            measured.releaseAll();
        }
    }

    private static long held(Subject subject) {
        long held = subject.held();
        return held == Subject.BY_RESIDENT_MEMORY ? ProcessMemory.resident() : held;
    }
}
