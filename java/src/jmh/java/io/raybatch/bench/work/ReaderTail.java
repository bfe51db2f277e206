package io.raybatch.bench.work;

import io.raybatch.Batch;
import io.raybatch.ObjectSlots;
import io.raybatch.RayApi;
import io.raybatch.bench.subject.RaybatchSubject;
import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.Subjects;
import java.util.ArrayList;
import java.util.List;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/**
 * How much the collection of n objects moves the p99.9 of somebody who reads others: over that without. A reader gets random
 * objects of 64 bytes out of a million that live, at a steady pace ({@link PacedReader}). Beside it, over and over: n objects are
 * put; it is quiet for a while; they are collected, and their memory goes back to the system. Only ticks of the quiet while
 * and of the collection, to its memory's return, count; not those of the puts.
 *
 * <p>{@code first} is the p99.9 in the quiet, {@code second} that while collecting, both in nanoseconds. The heap's objects, for
 * comparison, are collected by {@code System.gc()}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
public class ReaderTail {

    private static final int LIVING = 1_000_000;
    private static final int LIVING_SIZE = 64;
    private static final int BULK = 10_000;
    private static final int SETTLE_MILLIS = 100;
    private static final int QUIET_MILLIS = 300;
    private static final int POLL_MILLIS = 20;
    private static final long NANOS = 1_000_000L;
    private static final long RETURN_WITHIN = 10_000 * NANOS;
    private static final long RESERVE = 16L << 20;
    private static final double PART = 0.999;

    /** Of the row. */
    @Param("raybatch-direct")
    public String subject;

    /** Of the row: of what is collected. */
    @Param("32")
    public int size;

    /** Of the row: how many are collected at once. */
    @Param("1000000")
    public int count;

    /** How often. */
    @Param("3")
    public int rounds;

    /** What is collected beside the reader. */
    private interface Garbage extends AutoCloseable {

        void put();

        void collect() throws InterruptedException;

        @Override
        void close();
    }

    /**
     * Reads and collects.
     *
     * @param figure takes the ratio, and both p99.9
     * @return a sum, lest the reads be for nothing
     * @throws InterruptedException never
     */
    @Benchmark
    public long read(Figure figure) throws InterruptedException {
        try (Subject living = Subjects.of(subject);
                Garbage garbage = subject.equals("heap") ? new Dropped() : new Batches()) {
            living.begin(LIVING, LIVING_SIZE);
            Loops.put(living, Loops.payload(LIVING_SIZE), 0, LIVING);
            PacedReader reader = new PacedReader(living, Loops.numbers(LIVING, true), LIVING_SIZE);
            reader.start();
            List<PacedReader.Window> quiet = new ArrayList<>();
            List<PacedReader.Window> collecting = new ArrayList<>();
            for (int round = 0; round <= rounds; round++) {
                garbage.put();
                Thread.sleep(SETTLE_MILLIS);
                long still = System.nanoTime();
                Thread.sleep(QUIET_MILLIS);
                long begins = System.nanoTime();
                garbage.collect();
                long ended = System.nanoTime();
                if (round > 0) { // the first one is for the compiler
                    quiet.add(new PacedReader.Window(still, begins));
                    collecting.add(new PacedReader.Window(begins, ended));
                }
            }
            long sum = reader.end();
            figure.first = reader.percentile(quiet, PART);
            figure.second = reader.percentile(collecting, PART);
            figure.value = figure.second / figure.first;
            living.releaseAll();
            return sum;
        }
    }

    /** In a store of its own that keeps next to nothing warm: all memory of a collected batch goes back to the system. */
    private final class Batches implements Garbage {

        private final RayApi ray =
                RaybatchSubject.open(subject.equals("raybatch-direct"), 2L * count * (size + 16) + (64L << 20), RESERVE);
        private final byte[] many = Loops.payload(size * BULK);
        private Batch batch;

        @Override
        public void put() {
            ray.setCurrentBatch(0);
            batch = ray.startBatch();
            ObjectSlots objects = batch.slots();
            for (int number = 0; number < count; number += BULK) {
                objects.putAll(many, 0, size, Math.min(BULK, count - number), null, 0);
            }
        }

        @Override
        public void collect() throws InterruptedException {
            long backed = ray.stats().backed();
            long began = System.nanoTime();
            batch.close();
            while (ray.stats().backed() > backed / 4) {
                if (System.nanoTime() - began > RETURN_WITHIN) {
                    throw new IllegalStateException("memory was not given back: " + ray.stats());
                }
                Thread.sleep(POLL_MILLIS); // seldom: on two processors who asks takes the reader's
            }
        }

        @Override
        public void close() {
            ray.close();
        }
    }

    /** On the heap: dropped, then collected. */
    private final class Dropped implements Garbage {

        private byte[][] objects;

        @Override
        public void put() {
            byte[] bytes = Loops.payload(size);
            objects = new byte[count][];
            for (int number = 0; number < count; number++) {
                objects[number] = bytes.clone();
            }
        }

        @Override
        public void collect() {
            objects = null;
            System.gc();
        }

        @Override
        public void close() {
            objects = null;
        }
    }
}
