package io.raybatch.examples.demo;

import io.raybatch.Eviction;
import java.util.Locale;

/** How the requests are served. */
enum Mode {
    /** By the store as it was. */
    LRU(Eviction.LRU, "lru (old store)"),
    /** In a batch each. */
    BATCH(Eviction.BATCH, "batch"),
    /** In a batch each, as tasks of it. */
    TASKS(Eviction.BATCH, "batch of tasks");

    private final Eviction eviction;
    private final String heading;

    Mode(Eviction eviction, String heading) {
        this.eviction = eviction;
        this.heading = heading;
    }

    Eviction eviction() {
        return eviction;
    }

    /** Over its column. */
    String heading() {
        return heading;
    }

    /** As in {@code report.json}, and in the charts. */
    String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
