package io.raybatch.bench.work;

import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.Subjects;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
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
 * Putting n objects, nanoseconds each. One invocation is the n puts of a request: milliseconds, so that the two looks at the clock
 * which JMH takes around it are nothing. Beginning and releasing are not timed.
 *
 * <p>Warm: the memory was used by requests before. The heap's objects are dropped between invocations and nobody calls for a
 * collection: collections fall into the puts, which pay for them. Those few that beginning caused, by the array it makes, are
 * the puts' garbage as well: {@link Figure#value} is their nanoseconds, to be added to the time of all invocations, which
 * {@link Figure#first} counts. An iteration is the mean of all its invocations, long enough to have collections in it (the launcher counts
 * them, and lengthens it otherwise).
 *
 * <p>Cold: the subject is new for each invocation, its memory never touched.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class Puts {

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
    @Param("true")
    public boolean warm;

    private Subject measured;
    private byte[] bytes;
    private long collected;
    private long collectedOutside;

    /** Makes what is put. */
    @Setup(Level.Trial)
    public void open() {
        bytes = Loops.payload(size);
        measured = warm ? Subjects.of(subject) : null;
    }

    /** Begins a request. */
    @Setup(Level.Invocation)
    public void begin() {
        if (!warm) {
            measured = Subjects.cold(subject);
        }
        measured.begin(count, size);
        if (measured.onHeap()) {
            collectedOutside = collections() - collected;
        }
    }

    /**
     * n puts.
     *
     * @param figure takes the collections between the puts before and these
     */
    @Benchmark
    public void put(Figure figure) {
        Loops.put(measured, bytes, 0, count);
        figure.value += collectedOutside;
        figure.first++;
    }

    /** Ends the request. */
    @TearDown(Level.Invocation)
    public void release() {
        if (measured.onHeap()) {
            collected = collections();
        }
        measured.releaseAll();
        if (!warm) {
            measured.close();
            measured = null;
            System.gc(); // what is given back by the Cleaner
        }
    }

    /** Nanoseconds that the world stood still. */
    private static long collections() {
        long millis = 0;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            millis += collector.getCollectionTime();
        }
        return TimeUnit.MILLISECONDS.toNanos(millis);
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        if (measured != null) {
            measured.close();
        }
    }
}
