package io.raybatch.bench.work;

import io.raybatch.bench.subject.Subject;
import java.util.Random;

/** The loops that all subjects run through. A JVM that JMH forks for a row knows one subject, so its methods are inlined here. */
final class Loops {

    private static final int SEED = 1;

    private Loops() {}

    /** What is put, over and over: in the processor's cache, as it is when the application has just made it. */
    static byte[] payload(int size) {
        byte[] bytes = new byte[size];
        new Random(SEED).nextBytes(bytes);
        return bytes;
    }

    static void put(Subject subject, byte[] bytes, int from, int to) {
        for (int number = from; number < to; number++) {
            subject.put(number, bytes);
        }
    }

    /** Copies objects out and touches the first and the last byte of each. */
    static long get(Subject subject, int[] numbers, byte[] into) {
        long sum = 0;
        for (int number : numbers) {
            int size = subject.get(number, into);
            sum += into[0] + into[size - 1];
        }
        return sum;
    }

    /** The numbers from 0 on: as they were put, or shuffled, the same each time. */
    static int[] numbers(int count, boolean shuffled) {
        int[] numbers = new int[count];
        Random random = new Random(SEED);
        for (int n = 0; n < count; n++) {
            int other = shuffled ? random.nextInt(n + 1) : n;
            numbers[n] = numbers[other];
            numbers[other] = n;
        }
        return numbers;
    }
}
