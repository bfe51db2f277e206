package io.raybatch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Has the user's policy choose the batch whose tasks are taken. */
final class Scheduler {

    private static final int FIGURES = 6;

    private final long client;
    private final SchedulingPolicy policy;
    private boolean failed;

    Scheduler(long client, SchedulingPolicy policy) {
        this.client = client;
        this.policy = policy;
    }

    /** As {@link Native#take}. */
    int take(long[] out) {
        int serial = choose();
        int taken = Native.take(client, serial, Bulk.MOST, out);
        // others may have taken all of that batch's meanwhile
        return taken <= 0 && serial != 0 ? Native.take(client, 0, Bulk.MOST, out) : taken;
    }

    /** The serial of the batch chosen; 0 to leave it to the table. */
    private synchronized int choose() {
        long[] figures = Native.readyBatches(client);
        if (figures == null || figures.length == 0) {
            return 0;
        }
        List<BatchLoad> loads = new ArrayList<>(figures.length / FIGURES);
        for (int at = 0; at < figures.length; at += FIGURES) {
            loads.add(new BatchLoad(
                    figures[at + 1],
                    (int) figures[at + 2],
                    figures[at + 3],
                    figures[at + 4],
                    Duration.ofNanos(figures[at + 5])));
        }
        try {
            int n = loads.indexOf(policy.choose(List.copyOf(loads)));
            return n < 0 ? 0 : Math.toIntExact(figures[n * FIGURES]);
        } catch (RuntimeException | Error e) {
            if (!failed) {
                RayLog.warn("the scheduling policy failed; raybatch chooses where it does", e);
                failed = true;
            }
            return 0;
        }
    }
}
