package io.raybatch;

import java.util.function.Predicate;

/**
 * Which batch is current in which thread, for each {@link RayApi}.
 *
 * <p>Not inherited by threads that a thread starts: a pool's thread is started by whoever comes first and lives on, and
 * would go on putting into a batch that has nothing to do with its later work. {@link Batch#wrap} takes a batch along.
 */
final class CurrentBatch {

    /** One entry for each {@link RayApi} that has a current batch in this thread: mostly none or one. Immutable. */
    private record Entry(BatchScope scope, Entry next) {}

    private static final ThreadLocal<Entry> HERE = new ThreadLocal<>();

    private CurrentBatch() {}

    /** {@return the current batch, ended or not; null in normal mode} */
    static BatchScope get(RayApi ray) {
        for (Entry e = HERE.get(); e != null; e = e.next) {
            if (e.scope.ray() == ray) {
                return e.scope;
            }
        }
        return null;
    }

    /** Makes a batch current; null for normal mode. */
    static void set(RayApi ray, BatchScope scope) {
        Entry others = without(HERE.get(), held -> held.ray() == ray || held.ray().isClosed());
        Entry all = scope == null ? others : new Entry(scope, others);
        if (all == null) {
            HERE.remove();
        } else {
            HERE.set(all);
        }
    }

    /** Lets go of batches of this thread. */
    static void forget(Predicate<BatchScope> which) {
        Entry left = without(HERE.get(), which);
        if (left == null) {
            HERE.remove();
        } else {
            HERE.set(left);
        }
    }

    private static Entry without(Entry entry, Predicate<BatchScope> which) {
        if (entry == null) {
            return null;
        }
        Entry rest = without(entry.next, which);
        if (which.test(entry.scope)) {
            return rest;
        }
        return rest == entry.next ? entry : new Entry(entry.scope, rest);
    }
}
