package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The JVM's own puts and gets against collections, deletions and native puts, on memory that is used again at once: what is got is
 * what was put under that slot in that batch, or an exception; nothing is lost, and nothing stays.
 */
@Tag("slow")
class DirectStressTest extends StoreTest {

    private static final int WRITERS = 3;
    private static final int READERS = 2;
    private static final int BATCHES = 400;
    private static final int OBJECTS = 1500;

    /** A batch that all threads work in; its objects say whose they are. */
    private record Round(Batch batch, ObjectSlots objects, long mark, long[][] slots, AtomicLong[] counts) {

        static Round of(Batch batch, long mark) {
            AtomicLong[] counts = new AtomicLong[WRITERS];
            for (int n = 0; n < WRITERS; n++) {
                counts[n] = new AtomicLong();
            }
            return new Round(batch, batch.slots(), mark, new long[WRITERS][OBJECTS], counts);
        }
    }

    private static int size(long n) {
        return n % 97 == 0 ? 70_000 : (int) (n * 13 % 300) / 8 * 8 + 8;
    }

    private static void fill(byte[] bytes, int size, long mark, long n) {
        byte value = (byte) (mark * 31 + n * 7);
        Arrays.fill(bytes, 0, size, value);
    }

    private static void check(byte[] bytes, int size, long mark, long n) {
        byte value = (byte) (mark * 31 + n * 7);
        if (size != size(n)) {
            throw new AssertionError("object " + n + " has " + size + " bytes, not " + size(n));
        }
        for (int i = 0; i < size; i++) {
            if (bytes[i] != value) {
                throw new AssertionError("byte " + i + " of object " + n + " is another object's");
            }
        }
    }

    @Test
    void what_is_got_is_what_was_put_whoever_collects_meanwhile() {
        AtomicReference<Round> current = new AtomicReference<>(Round.of(ray.startBatch(1), 1));
        AtomicBoolean over = new AtomicBoolean();
        AtomicLong got = new AtomicLong();
        AtomicLong refused = new AtomicLong();
        List<CompletableFuture<Void>> threads = new ArrayList<>();
        for (int w = 0; w < WRITERS; w++) {
            int writer = w;
            threads.add(inThread(() -> {
                write(writer, current, over, refused);
                return null;
            }));
        }
        for (int r = 0; r < READERS; r++) {
            threads.add(inThread(() -> {
                read(current, over, got, refused);
                return null;
            }));
        }
        for (long id = 2; id <= BATCHES; id++) {
            sleep(Duration.ofMillis(ThreadLocalRandom.current().nextInt(3)));
            Round old = current.getAndSet(Round.of(ray.startBatch(id), id));
            ray.endBatch(old.batch().id(), id % 2 == 0);
            if (id % 2 != 0) {
                ray.gc(old.batch().id());
            }
        }
        over.set(true);
        ray.endBatch(BATCHES, true);
        threads.forEach(StoreTest::join);
        assertThat(got).as("objects got").hasPositiveValue();
        assertThat(refused).as("of ended or collected batches").hasPositiveValue();
        ray.setCurrentBatch(0);
        ray.internal().audit();
        assertThat(ray.stats().objects()).isZero();
        assertThat(ray.stats().live()).isZero();
        assertThat(ray.stats().draining()).as("leases left behind").isZero();
    }

    private static void write(int writer, AtomicReference<Round> current, AtomicBoolean over, AtomicLong refused) {
        byte[] bytes = new byte[80_000];
        byte[] many = new byte[64 * 20];
        Round round = null;
        int n = 0;
        while (!over.get()) {
            if (current.get() != round || n == OBJECTS) {
                Round next = current.get();
                if (next == round) {
                    Thread.onSpinWait();
                    continue;
                }
                round = next;
                n = 0;
            }
            try {
                fill(bytes, size(n), round.mark, n);
                round.slots[writer][n] = round.objects.put(bytes, 0, size(n));
                round.counts[writer].set(++n);
                if (n % 50 == 0) {
                    round.objects.putAll(many, 0, 64, 20, null, 0);
                }
                if (n % 11 == 0) {
                    round.batch.get(round.objects.ref(round.slots[writer][n / 2]));
                }
            } catch (BatchEndedException | ObjectCollectedException ended) {
                refused.incrementAndGet();
                while (current.get() == round && !over.get()) {
                    Thread.onSpinWait();
                }
            }
        }
    }

    private static void read(AtomicReference<Round> current, AtomicBoolean over, AtomicLong got, AtomicLong refused) {
        byte[] bytes = new byte[80_000];
        ThreadLocalRandom random = ThreadLocalRandom.current();
        while (!over.get()) {
            // goes on for a while after it was replaced and collected
            Round round = current.get();
            for (int i = 0; i < 300; i++) {
                int writer = random.nextInt(WRITERS);
                long count = round.counts[writer].get();
                if (count == 0) {
                    continue;
                }
                int n = (int) random.nextLong(count);
                try {
                    int size = round.objects.get(round.slots[writer][n], bytes, 0, bytes.length);
                    check(bytes, size, round.mark, n);
                    got.incrementAndGet();
                } catch (ObjectCollectedException collected) {
                    refused.incrementAndGet();
                    break;
                }
            }
        }
    }

    @Test
    void a_subscriber_hears_of_every_put_that_it_does_not_find() {
        for (int round = 0; round < 60; round++) {
            AtomicBoolean go = new AtomicBoolean();
            try (Batch b = ray.startBatch()) {
                ObjectSlots objects = b.slots();
                int each = 400;
                CompletableFuture<Void> putting = inThread(() -> {
                    while (!go.get()) {
                        Thread.onSpinWait();
                    }
                    for (int i = 0; i < each; i++) {
                        objects.put(new byte[8], 0, 8);
                    }
                    return null;
                });
                go.set(true);
                try (Subscription events = ray.subscribe()) {
                    join(putting);
                    for (int heard = 0; heard < each; heard++) {
                        assertThat(events.poll(SOON)).as("object %d of %d in round %d", heard, each, round).isPresent();
                    }
                    assertThat(events.poll(Duration.ZERO)).isEmpty();
                }
            }
        }
    }

    @Test
    void many_batches_at_once_start_put_and_close() {
        List<CompletableFuture<Void>> threads = new ArrayList<>();
        for (int t = 0; t < 100; t++) {
            int seed = t;
            threads.add(inThread(() -> {
                byte[] target = new byte[64];
                for (int i = 0; i < 50; i++) {
                    try (Batch b = ray.startBatch()) {
                        ObjectSlots objects = b.slots();
                        byte[] bytes = bytes(seed * 1000L + i, 64);
                        long slot = 0;
                        for (int k = 0; k < 10; k++) {
                            slot = objects.put(bytes, 0, 64);
                        }
                        objects.get(slot, target, 0, 64);
                        if (!Arrays.equals(target, bytes)) {
                            throw new AssertionError("another's bytes");
                        }
                    }
                }
                return null;
            }));
        }
        threads.forEach(StoreTest::join);
        assertThat(ray.stats().liveBatches()).isZero();
        assertThat(ray.stats().live()).isZero();
    }
}
