package io.raybatch;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** Has the user's policy choose the batch whose tasks are taken. */
final class Scheduler {

    private static final int FIGURES = 6;

    private final long client;
    private final SchedulingPolicy policy;
    private boolean told;

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
            BatchLoad chosen = policy.choose(List.copyOf(loads));
            int n = loads.indexOf(chosen);
            if (n >= 0) {
                return Math.toIntExact(figures[n * FIGURES]);
            }
            if (chosen != null) {
                tell("the scheduling policy chose " + chosen + ", which is none of those that are ready", null);
            }
        } catch (Throwable e) {
            tell("the scheduling policy failed", e);
        }
        return 0;
    }

    /** The first time. */
    private void tell(String what, Throwable why) {
        if (!told) {
            told = true;
            RayLog.warn(what + "; raybatch chooses where it does so", why);
        }
    }
}
