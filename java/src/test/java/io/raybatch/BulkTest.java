package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** What a worker has taken, and others take from it; and the directory of what tasks run. */
class BulkTest {

    private final Bulk bulk = new Bulk();
    private final long[] stolen = new long[Bulk.MOST * Native.PIECE];

    private void fill(int count, long from) {
        for (int n = 0; n < count; n++) {
            bulk.pieces()[n * Native.PIECE] = 1;
            bulk.pieces()[n * Native.PIECE + 1] = from + n;
            bulk.pieces()[n * Native.PIECE + 2] = 5;
        }
        bulk.filled(count);
    }

    private long next() {
        int at = bulk.next();
        return at < 0 ? -1 : bulk.pieces()[at + 1];
    }

    @Test
    void its_worker_takes_from_the_front_and_others_half_from_the_back() {
        fill(5, 100);
        assertThat(next()).isEqualTo(100);
        assertThat(bulk.left()).isEqualTo(4);
        assertThat(bulk.steal(stolen)).isEqualTo(2);
        assertThat(stolen[1]).isEqualTo(103);
        assertThat(stolen[Native.PIECE + 1]).isEqualTo(104);
        assertThat(bulk.has(1, 102, 5)).isTrue();
        assertThat(bulk.has(1, 103, 5)).as("stolen").isFalse();
        assertThat(bulk.has(1, 102, 6)).as("another attempt").isFalse();
        assertThat(next()).isEqualTo(101);
        assertThat(bulk.steal(stolen)).as("the last one, too").isEqualTo(1);
        assertThat(next()).isEqualTo(-1);
        assertThat(bulk.steal(stolen)).isZero();
        fill(3, 200);
        assertThat(bulk.takeAll(stolen)).isEqualTo(3);
        assertThat(next()).isEqualTo(-1);
        fill(Bulk.MOST, 300);
        assertThat(bulk.left()).isEqualTo(Bulk.MOST);
    }

    @Test
    void each_piece_is_had_once_whoever_takes_it() throws InterruptedException {
        int rounds = 20_000;
        Set<Long> seen = ConcurrentHashMap.newKeySet();
        AtomicInteger twice = new AtomicInteger();
        AtomicInteger done = new AtomicInteger();
        Thread thief = new Thread(() -> {
            long[] into = new long[Bulk.MOST * Native.PIECE];
            while (done.get() == 0) {
                int count = bulk.steal(into);
                for (int n = 0; n < count; n++) {
                    if (!seen.add(into[n * Native.PIECE + 1])) {
                        twice.incrementAndGet();
                    }
                }
            }
        });
        thief.start();
        for (int round = 0; round < rounds; round++) {
            fill(7, round * 10L);
            for (long piece = next(); piece >= 0; piece = next()) {
                if (!seen.add(piece)) {
                    twice.incrementAndGet();
                }
            }
        }
        done.set(1);
        thief.join();
        assertThat(twice).hasValue(0);
        assertThat(seen).hasSize(7 * rounds);
    }

    @Test
    void blocks_of_slots_grow_and_are_given_out_in_order() {
        SlotBlocks blocks = new SlotBlocks();
        assertThat(blocks.take(1)).isEqualTo(-1);
        assertThat(blocks.next(1)).isEqualTo(8);
        blocks.refill(1000L << 24 | 8);
        assertThat(blocks.take(3)).isEqualTo(1000);
        assertThat(blocks.take(5)).isEqualTo(1003);
        assertThat(blocks.first()).isEqualTo(1000);
        assertThat(blocks.take(1)).isEqualTo(-1);
        assertThat(blocks.next(20)).as("at least so many").isEqualTo(20);
        int[] sizes = new int[7];
        Arrays.setAll(sizes, n -> blocks.next(1));
        assertThat(sizes).containsExactly(32, 64, 128, 256, 256, 256, 256);
        blocks.clear();
        assertThat(blocks.take(1)).isEqualTo(-1);
        assertThat(blocks.next(1)).as("a run again begins anew").isEqualTo(8);
    }

    @Test
    void functions_are_found_by_slot_and_stay_when_they_are_set_again() {
        Functions functions = new Functions();
        assertThat(functions.get(7)).isNull();
        for (long slot : new long[] {0, 1, 7, 8, 255, 256, 1000, 70_000}) {
            assertThat(functions.set(slot, "f" + slot)).isTrue();
        }
        for (long slot : new long[] {0, 1, 7, 8, 255, 256, 1000, 70_000}) {
            assertThat(functions.get(slot)).isEqualTo("f" + slot);
            assertThat(functions.set(slot, "another")).isFalse();
            assertThat(functions.get(slot)).isEqualTo("f" + slot);
        }
        assertThat(functions.get(2)).isNull();
        assertThat(functions.get(80_000)).isNull();
        functions.clear(0, 512);
        assertThat(functions.get(256)).isNull();
        assertThat(functions.get(7)).isNull();
        functions.clear(1000, 1);
        assertThat(functions.get(1000)).isNull();
        assertThat(functions.get(70_000)).isEqualTo("f70000");
        assertThat(functions.set(7, "new")).isTrue();
    }

    @Test
    void the_directory_of_functions_is_as_long_as_what_is_in_it_wherever_that_stands() {
        Functions.Pages pages = new Functions.Pages(0, new Object[0][]);
        long first = 1_000_000L << 8;
        for (long page = 0; page < 1000; page++) {
            pages = pages.withRoomFor(first + (page << 8));
            pages.all()[(int) ((first >>> 8) + page - pages.first())] = new Object[] {page};
            if (page >= 3) {
                pages.all()[(int) ((first >>> 8) + page - 3 - pages.first())] = null;
            }
            assertThat(pages.all().length).as("there are three of them").isLessThanOrEqualTo(8);
            assertThat(pages.of(first + (page << 8))).containsExactly(page);
        }
        // a thread that has had its slots for long uses them now
        pages = pages.withRoomFor(first);
        assertThat(pages.first()).isEqualTo(first >>> 8);
        assertThat(pages.of(first + (999L << 8))).containsExactly(999L);
        assertThat(pages.of(first)).isNull();
        assertThat(pages.of(0)).isNull();
        assertThat(pages.of(first + (5000L << 8))).isNull();
    }

    @Test
    void functions_are_found_when_most_before_them_were_cleared() {
        Functions functions = new Functions();
        for (long slot = 0; slot < 200_000; slot++) {
            assertThat(functions.set(slot, slot)).isTrue();
            if (slot % 256 == 0 && slot >= 1024) {
                functions.clear(slot - 1024, 256);
            }
        }
        assertThat(functions.get(199_999)).isEqualTo(199_999L);
        assertThat(functions.get(1000)).isNull();
        assertThat(functions.set(1000, "late")).isTrue();
        assertThat(functions.get(1000)).isEqualTo("late");
        assertThat(functions.get(199_999)).isEqualTo(199_999L);
    }
}
