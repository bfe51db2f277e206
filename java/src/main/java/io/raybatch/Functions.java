package io.raybatch;

import java.util.Arrays;

/**
 * What the tasks of one batch run, by slot: a function that has neither arguments nor a name, or a {@link StoredCall}. Goes as a
 * whole.
 */
final class Functions {

    private static final int PAGE_BITS = 8;
    private static final int PAGE = 1 << PAGE_BITS;
    private static final int SMALLEST = 8;

    /**
     * slot / 256 - first → entries by slot % 256, as far as there are any. Both arrays grow by being replaced, under the lock; what
     * comes before the first page that there is, or after the last one, is left out then.
     */
    record Pages(long first, Object[][] all) {

        /** Null where there is none. */
        Object[] of(long slot) {
            long n = (slot >>> PAGE_BITS) - first;
            return n < 0 || n >= all.length ? null : all[(int) n];
        }

        /** With room for the page of that slot. */
        Pages withRoomFor(long slot) {
            long page = slot >>> PAGE_BITS;
            if (page >= first && page - first < all.length) {
                return this;
            }
            int from = 0;
            int to = all.length;
            while (from < to && all[from] == null) {
                from++;
            }
            while (from < to && all[to - 1] == null) {
                to--;
            }
            if (from == to) {
                return new Pages(page, new Object[1][]);
            }
            long lowest = Math.min(page, first + from);
            int needed = Math.toIntExact(Math.max(page + 1, first + to) - lowest);
            Object[][] larger = new Object[Math.max(needed, 2 * (to - from))][];
            System.arraycopy(all, from, larger, (int) (first + from - lowest), to - from);
            return new Pages(lowest, larger);
        }
    }

    private volatile Pages pages = new Pages(0, new Object[0][]);

    /** The entry of a slot that was set before this was asked. */
    Object get(long slot) {
        Object[] entries = pages.of(slot);
        int at = (int) slot & PAGE - 1;
        return entries == null || at >= entries.length ? null : entries[at];
    }

    /**
     * Sets an entry, to be seen by whoever the table gives the task afterwards.
     *
     * @return false if there is one, as when a run again submits the same task
     */
    synchronized boolean set(long slot, Object entry) {
        int at = (int) slot & PAGE - 1;
        Object[] entries = pages.of(slot);
        if (entries == null || at >= entries.length) {
            Object[] larger = new Object[sizeFor(at)];
            if (entries != null) {
                System.arraycopy(entries, 0, larger, 0, entries.length);
            }
            entries = larger;
            Pages roomy = pages.withRoomFor(slot);
            roomy.all[(int) ((slot >>> PAGE_BITS) - roomy.first)] = entries;
            pages = roomy;
        }
        if (entries[at] != null) {
            return false;
        }
        entries[at] = entry;
        return true;
    }

    /** For a task that was refused after all, and for those that are forgotten. */
    synchronized void clear(long slot, int count) {
        Pages known = pages;
        for (long s = slot; s < slot + count; ) {
            int at = (int) s & PAGE - 1;
            int some = (int) Math.min(PAGE - at, slot + count - s);
            Object[] entries = known.of(s);
            if (entries != null && some == PAGE) {
                known.all[(int) ((s >>> PAGE_BITS) - known.first)] = null;
            } else if (entries != null && at < entries.length) {
                Arrays.fill(entries, at, Math.min(at + some, entries.length), null);
            }
            s += some;
        }
    }

    private static int sizeFor(int at) {
        int size = SMALLEST;
        while (size <= at) {
            size *= 4;
        }
        return Math.min(size, PAGE);
    }
}
