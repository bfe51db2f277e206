package io.raybatch.bench.work;

import com.sun.management.OperatingSystemMXBean;
import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.Subjects;
import java.lang.management.ManagementFactory;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Begin, n puts, release, over and over: processor time of the whole process, user and system, in nanoseconds per object. It counts
 * what a release leaves to other threads (a collector, a thread that gives memory back) or to the next request.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
public class Cycles {

    private static final long NANOS = 1_000_000L;

    /** Of the row. */
    @Param("heap")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row. */
    @Param("1000")
    public int count;

    /** How long at least; the system counts processor time in steps of 10 ms. */
    @Param("1000")
    public int millis;

    private Subject measured;
    private byte[] bytes;
    private OperatingSystemMXBean system;

    /** Opens the subject. */
    @Setup(Level.Trial)
    public void open() {
        measured = Subjects.of(subject);
        bytes = Loops.payload(size);
        system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
    }

    /**
     * Requests, one after the other.
     *
     * @param figure takes the time
     */
    @Benchmark
    public void cycle(Figure figure) {
        long began = System.nanoTime();
        long processor = system.getProcessCpuTime();
        long cycles = 0;
        do {
            measured.begin(count, size);
            Loops.put(measured, bytes, 0, count);
            measured.releaseAll();
            cycles++;
        } while (System.nanoTime() - began < millis * NANOS);
        figure.value = (system.getProcessCpuTime() - processor) / (double) (cycles * count);
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        measured.close();
    }
}
