package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Many threads, a bounded count of operations, and then sums that add up. */
@Tag("slow")
class ConcurrencyTest extends StoreTest {

    private static final int THREADS = 6;
    private static final int ROUNDS = 150;

    /** Every object says in each of its words whose it is, so that a torn or reused one is seen. */
    private static byte[] marked(long mark, int words) {
        ByteBuffer buffer = ByteBuffer.allocate(words * 8);
        for (int i = 0; i < words; i++) {
            buffer.putLong(mark);
        }
        return buffer.array();
    }

    private static void assertMarked(byte[] bytes, long mark) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            if (buffer.getLong() != mark) {
                throw new AssertionError("torn: not all of it is " + mark);
            }
        }
    }

    @Test
    void readers_writers_and_collectors_never_see_anothers_bytes() {
        AtomicLong marks = new AtomicLong();
        AtomicLong reads = new AtomicLong();
        AtomicReferenceArray<Published> published = new AtomicReferenceArray<>(64);
        List<CompletableFuture<Void>> threads = new ArrayList<>();
        for (int t = 0; t < THREADS; t++) {
            int seed = t;
            threads.add(inThread(() -> {
                for (int round = 0; round < ROUNDS; round++) {
                    write(marks, published, seed * 31 + round);
                    read(published, reads);
                }
                return null;
            }));
        }
        threads.forEach(StoreTest::join);
        assertThat(reads).hasPositiveValue();
        ray.internal().audit();
        assertThat(ray.stats().live()).isZero();
        assertThat(ray.stats().liveBatches()).isZero();
    }

    private record Published(ObjectRef<byte[]> ref, long mark) {}

    /** A batch that others read from, and which ends while they do. */
    private void write(AtomicLong marks, AtomicReferenceArray<Published> published, int seed) {
        try (Batch b = ray.startBatch()) {
            for (int i = 0; i < 40; i++) {
                long mark = marks.incrementAndGet();
                int words = i % 10 == 0 ? 20_000 : 1 + (seed * 7 + i * 13) % 200;
                ObjectRef<byte[]> ref = b.put(marked(mark, words));
                published.set((seed + i) % published.length(), new Published(ref, mark));
                if (i % 7 == 3) {
                    ray.delete(ref);
                }
            }
        }
    }

    private void read(AtomicReferenceArray<Published> published, AtomicLong reads) {
        for (int i = 0; i < published.length(); i++) {
            Published one = published.get(i);
            if (one == null) {
                continue;
            }
            try {
                assertMarked(ray.get(one.ref), one.mark);
                try (ObjectView view = ray.read(one.ref)) {
                    assertMarked(view.toByteArray(), one.mark);
                }
                reads.incrementAndGet();
            } catch (ObjectCollectedException | ObjectLostException | ObjectNotFoundException gone) {
                // its batch is over
            }
        }
    }

    @Test
    void one_batch_is_filled_by_many_threads_and_loses_nothing() {
        try (Batch b = ray.startBatch()) {
            List<CompletableFuture<List<ObjectRef<byte[]>>>> threads = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                int thread = t;
                threads.add(inThread(() -> {
                    List<ObjectRef<byte[]>> refs = new ArrayList<>();
                    for (int i = 0; i < 3000; i++) {
                        refs.add(b.put(marked(thread * 10_000L + i, 1 + i % 20)));
                    }
                    return refs;
                }));
            }
            for (int t = 0; t < THREADS; t++) {
                List<ObjectRef<byte[]>> refs = join(threads.get(t));
                List<byte[]> got = ray.get(refs);
                for (int i = 0; i < refs.size(); i++) {
                    assertMarked(got.get(i), t * 10_000L + i);
                }
            }
            assertThat(b.status().objects()).isEqualTo(THREADS * 3000L);
            ray.internal().audit();
        }
    }

    @Test
    void many_end_one_batch_and_one_of_them_does() {
        for (int round = 0; round < 50; round++) {
            Batch b = ray.startBatch();
            b.put(new byte[1000]);
            AtomicLong collected = new AtomicLong();
            List<CompletableFuture<Integer>> threads = new ArrayList<>();
            for (int t = 0; t < THREADS; t++) {
                threads.add(inThread(() -> {
                    try {
                        collected.addAndGet(ray.endBatch(b.id(), true).objects());
                        return 1;
                    } catch (BatchEndedException e) {
                        return 0;
                    }
                }));
            }
            assertThat(threads.stream().mapToInt(StoreTest::join).sum()).isEqualTo(1);
            assertThat(collected).hasValue(1);
            b.close();
        }
    }

    /** A get that looks just before the object is sealed must not take it for lost. */
    @Test
    void waiting_readers_are_all_woken() {
        List<CompletableFuture<byte[]>> readers = new ArrayList<>();
        for (int round = 0; round < 100; round++) {
            ObjectWriter writer = ray.create(8);
            for (int t = 0; t < 3; t++) {
                readers.add(inThread(() -> ray.get(writer.ref(), SOON)));
            }
            writer.putLong(0, round);
            writer.seal();
        }
        readers.forEach(reader -> assertThat(join(reader)).hasSize(8));
        ray.evict(Long.MAX_VALUE >> 1);
    }
}
