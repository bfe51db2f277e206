package io.raybatch.micrometer;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.raybatch.GroupStatus;
import io.raybatch.RayApi;
import io.raybatch.ResourceGroup;
import java.util.List;
import java.util.OptionalLong;

/**
 * Binds the figures of a resource group to a registry of Micrometer's: {@code new GroupMetrics(ray, group).bindTo(registry)}.
 *
 * <table>
 * <caption>Meters, each with the tags {@code store} and {@code group}, the group's path</caption>
 * <tr><th>name</th><th>kind, unit</th><th>what, of all that is in it</th></tr>
 * <tr><td>{@code raybatch.group.live}</td><td>gauge, bytes</td><td>payload of its objects, in memory and in files</td></tr>
 * <tr><td>{@code raybatch.group.objects}</td><td>gauge</td><td>its objects</td></tr>
 * <tr><td>{@code raybatch.group.held}</td><td>gauge, bytes</td><td>memory that it holds</td></tr>
 * <tr><td>{@code raybatch.group.share}</td><td>gauge, bytes</td><td>memory that is its fair share</td></tr>
 * <tr><td>{@code raybatch.group.batches}</td><td>gauge</td><td>batches that are not collected</td></tr>
 * <tr><td>{@code raybatch.group.tasks}</td><td>gauge</td><td>tasks that run and wait for nothing</td></tr>
 * <tr><td>{@code raybatch.group.refused}</td><td>counter</td><td>puts, keeps and results for which there was no memory</td></tr>
 * <tr><td>{@code raybatch.group.max.live}, {@code raybatch.group.max.objects}</td><td>gauges, the first in bytes</td>
 *     <td>its own limits; not a number where there is none</td></tr>
 * </table>
 *
 * <p>All meters of one look at the registry come from one look at the group, which is taken at most once in a second. Those of a group
 * that was removed, or of a closed store, are not a number. The registry holds the client for as long as it has the meters.
 */
@SuppressWarnings("exports") // of Micrometer's types: who uses this class has Micrometer
public final class GroupMetrics implements MeterBinder {

    private final Meters<GroupStatus> meters;

    /**
     * Figures of a group.
     *
     * @param ray of any client of its store
     * @param group that is to be watched
     */
    public GroupMetrics(RayApi ray, ResourceGroup group) {
        this(ray, group, List.of());
    }

    /**
     * Figures of a group.
     *
     * @param ray of any client of its store
     * @param group that is to be watched
     * @param tags that each meter gets, beside {@code store} and {@code group}
     */
    public GroupMetrics(RayApi ray, ResourceGroup group, Iterable<Tag> tags) {
        this.meters = new Meters<>(ray, group::status, Tags.of("store", ray.storeName(), "group", group.path()).and(tags));
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        meters.bytes(registry, "group.live", "payload of its objects, in memory and in files", group -> group.usage().bytes());
        meters.gauge(registry, "group.objects", BaseUnits.OBJECTS, "its objects", group -> group.usage().objects());
        meters.bytes(registry, "group.held", "memory that it holds", group -> group.usage().held());
        meters.bytes(registry, "group.share", "memory that is its fair share", group -> group.usage().share());
        meters.gauge(registry, "group.batches", null, "batches that are not collected", group -> group.usage().batches());
        meters.gauge(registry, "group.tasks", null, "tasks that run and wait for nothing", group -> group.usage().tasks());
        meters.counter(registry, "group.refused", null, "puts, keeps and results for which there was no memory",
                group -> group.usage().refused());
        meters.bytes(registry, "group.max.live", "its own limit of payload", group -> orNaN(group.limits().maxBytes()));
        meters.gauge(registry, "group.max.objects", BaseUnits.OBJECTS, "its own limit of objects",
                group -> orNaN(group.limits().maxObjects()));
    }

    private static double orNaN(OptionalLong limit) {
        return limit.isPresent() ? limit.getAsLong() : Double.NaN;
    }
}
