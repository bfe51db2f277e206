package io.raybatch;

import java.lang.ref.Reference;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The batches that the engine keeps reachable because tasks of theirs are active, lest they be taken for leaked. That none is
 * active any more is asked now and then, so that no task pays for it.
 */
final class HeldScopes {

    private static final long PERIOD_NANOS = 1_000_000_000L;

    private final long client;
    private final Set<BatchWork> works = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean sweeping = new AtomicBoolean();
    private volatile long last = System.nanoTime();

    HeldScopes(long client) {
        this.client = client;
    }

    /** A task was submitted, by somebody who has the scope. */
    void hold(BatchWork work, BatchScope scope) {
        if (scope != null && scope.isTracked() && !work.isHeld()) {
            work.hold(scope);
            works.add(work);
        }
    }

    void forget(BatchWork work) {
        work.letGo();
        works.remove(work);
    }

    void clear() {
        works.forEach(BatchWork::letGo);
        works.clear();
    }

    void sweepIfDue(long now) {
        if (now - last > PERIOD_NANOS && !works.isEmpty()) {
            sweep();
        }
    }

    /** Lets go of those that have no active task. */
    void sweep() {
        if (works.isEmpty() || !sweeping.compareAndSet(false, true)) {
            return;
        }
        try {
            last = System.nanoTime();
            BatchWork[] all = works.toArray(BatchWork[]::new);
            int[] serials = new int[all.length];
            long[] taken = new long[all.length];
            for (int n = 0; n < all.length; n++) {
                serials[n] = all[n].serial();
                taken[n] = all[n].taken();
            }
            int[] active = Native.active(client, serials);
            for (int n = 0; n < all.length; n++) {
                if (active[n] == 0) {
                    letGo(all[n], taken[n]);
                }
            }
        } finally {
            sweeping.set(false);
        }
    }

    /** Who takes a slot after this was asked sees that the scope is not held; who took it before is seen here. */
    private void letGo(BatchWork work, long taken) {
        works.remove(work);
        BatchScope scope = work.letGo();
        if (scope != null && (work.taken() != taken || Native.active(client, new int[] {work.serial()})[0] != 0)) {
            hold(work, scope);
        }
        Reference.reachabilityFence(scope);
    }
}
