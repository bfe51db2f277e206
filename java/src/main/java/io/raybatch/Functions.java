package io.raybatch;

/**
 * What the tasks of one batch run, by slot: a function that has neither arguments nor a name, or a {@link StoredCall}. Goes as a
 * whole.
 */
final class Functions {

    private static final int PAGE_BITS = 8;
    private static final int PAGE = 1 << PAGE_BITS;
    private static final int SMALLEST = 8;

    /** slot / 256 → entries by slot % 256, as far as there are any; both grow by being replaced, under the lock. */
    private volatile Object[][] pages = {};

    /** The entry of a slot that was set before this was asked. */
    Object get(long slot) {
        Object[][] all = pages;
        int page = (int) (slot >>> PAGE_BITS);
        int at = (int) slot & PAGE - 1;
        if (page >= all.length || all[page] == null || at >= all[page].length) {
            return null;
        }
        return all[page][at];
    }

    /**
     * Sets an entry, to be seen by whoever the table gives the task afterwards.
     *
     * @return false if there is one, as when a run again submits the same task
     */
    synchronized boolean set(long slot, Object entry) {
        Object[][] all = pages;
        int page = Math.toIntExact(slot >>> PAGE_BITS);
        int at = (int) slot & PAGE - 1;
        Object[] entries = page < all.length ? all[page] : null;
        if (entries == null || at >= entries.length) {
            Object[] larger = new Object[sizeFor(at)];
            if (entries != null) {
                System.arraycopy(entries, 0, larger, 0, entries.length);
            }
            entries = larger;
            all = withRoom(all, page);
            all[page] = entries;
            pages = all;
        }
        if (entries[at] != null) {
            return false;
        }
        entries[at] = entry;
        return true;
    }

    /** For a task that was refused after all. */
    synchronized void clear(long slot, int count) {
        Object[][] all = pages;
        for (long s = slot; s < slot + count; ) {
            int page = (int) (s >>> PAGE_BITS);
            int at = (int) s & PAGE - 1;
            int some = (int) Math.min(PAGE - at, slot + count - s);
            if (page < all.length && all[page] != null) {
                if (some == PAGE) {
                    all[page] = null;
                } else {
                    for (int n = at; n < Math.min(at + some, all[page].length); n++) {
                        all[page][n] = null;
                    }
                }
            }
            s += some;
        }
    }

    private static Object[][] withRoom(Object[][] all, int page) {
        if (page < all.length) {
            return all;
        }
        Object[][] larger = new Object[Math.max(page + 1, all.length * 2)][];
        System.arraycopy(all, 0, larger, 0, all.length);
        return larger;
    }

    private static int sizeFor(int at) {
        int size = SMALLEST;
        while (size <= at) {
            size *= 4;
        }
        return Math.min(size, PAGE);
    }
}
