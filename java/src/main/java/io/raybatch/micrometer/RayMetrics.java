package io.raybatch.micrometer;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.raybatch.RayApi;
import io.raybatch.StoreStats;
import java.util.List;

/**
 * Binds a store's figures to a registry of Micrometer's: {@code new RayMetrics(ray).bindTo(registry)}.
 *
 * <table>
 * <caption>Meters, each with the tag {@code store}</caption>
 * <tr><th>name</th><th>kind, unit</th><th>what</th></tr>
 * <tr><td>{@code raybatch.store.capacity}</td><td>gauge, bytes</td><td>what the arena can hold</td></tr>
 * <tr><td>{@code raybatch.store.used}</td><td>gauge, bytes</td><td>lent to batches and to normal mode</td></tr>
 * <tr><td>{@code raybatch.store.live}</td><td>gauge, bytes</td><td>payload of sealed objects, in memory and in files</td></tr>
 * <tr><td>{@code raybatch.store.leased}</td><td>gauge, bytes</td><td>given to writers in advance</td></tr>
 * <tr><td>{@code raybatch.store.warm}</td><td>gauge, bytes</td><td>free, and kept mapped</td></tr>
 * <tr><td>{@code raybatch.store.largest.free}</td><td>gauge, bytes</td><td>the largest object that fits just now</td></tr>
 * <tr><td>{@code raybatch.store.backed}</td><td>gauge, bytes</td><td>of the arena, backed by memory</td></tr>
 * <tr><td>{@code raybatch.store.draining}</td><td>gauge, bytes</td><td>of collected batches, still held by readers</td></tr>
 * <tr><td>{@code raybatch.store.records}</td><td>gauge, bytes</td><td>records of tasks, with those held for actors and other batches</td></tr>
 * <tr><td>{@code raybatch.store.objects}</td><td>gauge</td><td>sealed objects</td></tr>
 * <tr><td>{@code raybatch.batches.live}</td><td>gauge</td><td>batches that are not collected</td></tr>
 * <tr><td>{@code raybatch.spill.objects}</td><td>gauge</td><td>objects that lie in files</td></tr>
 * <tr><td>{@code raybatch.spill.live}</td><td>gauge, bytes</td><td>their payload</td></tr>
 * <tr><td>{@code raybatch.spill.files}</td><td>gauge, bytes</td><td>the files, with what is not used of them</td></tr>
 * <tr><td>{@code raybatch.spill.written}, {@code raybatch.spill.restored}</td><td>counters, bytes</td><td>payload that went, and came back</td></tr>
 * <tr><td>{@code raybatch.spill.served}</td><td>counter</td><td>reads answered from a file</td></tr>
 * <tr><td>{@code raybatch.spill.errors}</td><td>counter</td><td>writes, reads and removals of files that failed</td></tr>
 * <tr><td>{@code raybatch.evicted.objects}, {@code raybatch.evicted.size}</td><td>counters; the second in bytes</td><td>evicted of normal mode</td></tr>
 * </table>
 *
 * <p>All meters of one look at the registry come from one look at the store, which is taken at most once in a second. Those of a closed
 * store are not a number. The registry holds the client for as long as it has the meters.
 */
@SuppressWarnings("exports") // of Micrometer's types: who uses this class has Micrometer
public final class RayMetrics implements MeterBinder {

    private final Meters<StoreStats> meters;

    /**
     * Figures of a client's store.
     *
     * @param ray of any client of it
     */
    public RayMetrics(RayApi ray) {
        this(ray, List.of());
    }

    /**
     * Figures of a client's store.
     *
     * @param ray of any client of it
     * @param tags that each meter gets, beside {@code store}
     */
    public RayMetrics(RayApi ray, Iterable<Tag> tags) {
        this.meters = new Meters<>(ray, ray::stats, Tags.of("store", ray.storeName()).and(tags));
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        meters.bytes(registry, "store.capacity", "what the arena can hold", StoreStats::capacity);
        meters.bytes(registry, "store.used", "lent to batches and to normal mode, bookkeeping included", StoreStats::used);
        meters.bytes(registry, "store.live", "payload of sealed objects, in memory and in files", StoreStats::live);
        meters.bytes(registry, "store.leased", "given to writers in advance, not written yet", StoreStats::leased);
        meters.bytes(registry, "store.warm", "free, and kept mapped for the next batch", StoreStats::warm);
        meters.bytes(registry, "store.largest.free", "the largest object that fits without evicting anything", StoreStats::largestFreeRun);
        meters.bytes(registry, "store.backed", "of the arena, really backed by memory", StoreStats::backed);
        meters.bytes(registry, "store.draining", "of collected batches, still held by readers", StoreStats::draining);
        meters.bytes(registry, "store.records", "records of tasks, with those held for actors and other batches", StoreStats::records);
        meters.gauge(registry, "store.objects", BaseUnits.OBJECTS, "sealed objects", StoreStats::objects);
        meters.gauge(registry, "batches.live", null, "batches that are not collected", StoreStats::liveBatches);
        meters.gauge(registry, "spill.objects", BaseUnits.OBJECTS, "objects that lie in spill files", StoreStats::spilledObjects);
        meters.bytes(registry, "spill.live", "payload of objects that lie in spill files", StoreStats::spilledBytes);
        meters.bytes(registry, "spill.files", "spill files, with what is not used of them any more", StoreStats::spillFiles);
        meters.counter(registry, "spill.written", BaseUnits.BYTES, "payload written to files", StoreStats::spillWritten);
        meters.counter(registry, "spill.restored", BaseUnits.BYTES, "payload taken back from files", StoreStats::spillRestored);
        meters.counter(registry, "spill.served", null, "reads answered from a file", StoreStats::spillServed);
        meters.counter(registry, "spill.errors", null, "writes, reads and removals of files that failed", StoreStats::spillErrors);
        meters.counter(registry, "evicted.objects", BaseUnits.OBJECTS, "objects evicted", StoreStats::evictedObjects);
        meters.counter(registry, "evicted.size", BaseUnits.BYTES, "payload evicted", StoreStats::evictedBytes);
    }
}
