package io.raybatch.bench.work;

import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.Subjects;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
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
 * Objects per second that two threads put into one batch, over those that one thread puts. Both are measured in turn, in
 * requests of the same length: what disturbs the machine disturbs both. {@code memcpy} does the same to private memory, and shows
 * what the machine allows.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
public class Scaling {

    /** Of the row. */
    @Param("memcpy")
    public String subject;

    /** Of the row. */
    @Param("64")
    public int size;

    /** Of the row: what all threads put in one request. */
    @Param("1000")
    public int count;

    /** Of the row. */
    @Param("2")
    public int threads;

    private Subject measured;
    private byte[][] bytes;
    private ExecutorService pool;

    /** Opens the subject. */
    @Setup(Level.Trial)
    public void open() {
        measured = Subjects.of(subject);
        bytes = IntStream.range(0, threads).mapToObj(thread -> Loops.payload(size)).toArray(byte[][]::new);
        pool = Executors.newFixedThreadPool(threads);
    }

    /**
     * One thread, then all.
     *
     * @param figure takes the ratio
     * @throws Exception what a thread threw
     */
    @Benchmark
    public void scale(Figure figure) throws Exception {
        double one = nanosEach(1);
        double all = nanosEach(threads);
        figure.value = one / all;
    }

    private double nanosEach(int among) throws Exception {
        measured.begin(count, size);
        int each = count / threads;
        CyclicBarrier together = new CyclicBarrier(among);
        Future<?>[] working = new Future<?>[among];
        long[][] times = new long[among][];
        for (int thread = 0; thread < among; thread++) {
            int number = thread;
            Callable<Void> work = () -> {
                times[number] = timed(together, number * each, (number + 1) * each, bytes[number]);
                return null;
            };
            working[thread] = pool.submit(work);
        }
        for (Future<?> one : working) {
            done(one);
        }
        measured.releaseAll();
        long began = IntStream.range(0, among).mapToLong(n -> times[n][0]).min().orElseThrow();
        long ended = IntStream.range(0, among).mapToLong(n -> times[n][1]).max().orElseThrow();
        return (ended - began) / (double) (among * each);
    }

    private long[] timed(CyclicBarrier together, int from, int to, byte[] own) throws InterruptedException, BrokenBarrierException {
        together.await();
        long began = System.nanoTime();
        Loops.put(measured, own, from, to);
        return new long[] {began, System.nanoTime()};
    }

    private static void done(Future<?> one) throws InterruptedException {
        try {
            one.get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        }
    }

    /** Closes what is open. */
    @TearDown(Level.Trial)
    public void close() {
        pool.shutdownNow();
        measured.close();
    }
}
