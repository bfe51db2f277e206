package io.raybatch;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What the store's memory is used for, at one moment. Bytes, unless said.
 *
 * <p>Every byte of the arena is told once: {@code capacity = bookkeeping + draining + free + table.held + } the sum of the
 * batches' {@code held}; and each of those is the sum of its own parts. So it is when nothing is going on; while others put
 * and collect, the parts are of slightly different moments.
 *
 * @param at when it was made
 * @param store the store's name
 * @param capacity the arena
 * @param bookkeeping of the store itself
 * @param draining of collected batches, still held by readers
 * @param free lent to nobody
 * @param warm of the free ones, those with memory under them
 * @param largestFreeRun the largest object that fits without evicting or spilling anything
 * @param table objects that lie in no batch's region: those of normal mode, and those that a batch keeps from another one
 * @param files what lies on the disk
 * @param groups of batches, an outer one before those within it
 * @param batches all that are not collected, clients' roots included, the oldest first
 * @param records of tasks, a part of {@code bookkeeping}, and for whom they are held
 * @param drainingBatches those that are collected and held by readers; together {@code draining}
 */
public record MemoryReport(
        Instant at,
        String store,
        long capacity,
        long bookkeeping,
        long draining,
        long free,
        long warm,
        long largestFreeRun,
        Table table,
        Files files,
        List<GroupStatus> groups,
        List<InBatch> batches,
        Records records,
        List<Draining> drainingBatches) {

    /**
     * Records of tasks. Those of a batch that is not collected are its own; those of a collected one stand for a fault tolerant actor
     * that may have to be rebuilt, or for a batch that depends on it.
     *
     * @param bytes of all
     * @param actors for which most are held, the most first; a few
     * @param batches for which most are held, the most first; a few
     */
    public record Records(long bytes, List<HeldFor> actors, List<HeldFor> batches) {}

    /**
     * An actor or a batch for which records of tasks are held.
     *
     * @param number the actor's number, or the batch's id; 0 is normal mode
     * @param name what errors call it
     * @param bytes that are held for it
     */
    public record HeldFor(long number, String name, long bytes) {}

    /**
     * Objects that lie in no batch's region. {@code held = normal + kept + pinned + unused}.
     *
     * @param held pages
     * @param normal payload of normal mode that nobody holds
     * @param kept payload that batches keep, and nobody holds
     * @param pinned payload that readers or writers hold
     * @param unused free cells, and padding
     * @param spilled payload that lies in files
     * @param objects a count
     * @param spilledObjects those in files, a count
     */
    public record Table(
            long held, long normal, long kept, long pinned, long unused, long spilled, long objects, long spilledObjects) {}

    /**
     * Spill files.
     *
     * @param size of all files
     * @param objects in them, a count
     * @param bytes their payload
     * @param written payload since the store was opened
     * @param restored payload since then
     * @param served reads answered without taking an object back, a count
     * @param errors a count
     */
    public record Files(long size, long objects, long bytes, long written, long restored, long served, long errors) {}

    /**
     * One batch. {@code held = index + live + pinned + unused}.
     *
     * @param id its id
     * @param name empty if it has none
     * @param parent the batch around it; 0 for a root
     * @param state where in its life it is
     * @param age since it was started
     * @param startedBy the thread
     * @param startedAt where in the program, if {@link LeakLevel#ADVANCED} or more is on
     * @param group the path of the group it is in; empty for none
     * @param priority the lower, the sooner it is spilled
     * @param latencySensitive never spilled
     * @param held pages
     * @param index pages that lead from ids to objects
     * @param live payload in memory that nobody holds
     * @param pinned payload in memory that readers or writers hold
     * @param unused fragments: not filled yet, padding, left by objects that went
     * @param spilled payload in its file
     * @param objects a count
     * @param spilledObjects those in its file, a count
     * @param pins holds of readers and writers, a count
     * @param keptObjects objects of other batches that it keeps, a count
     * @param kept their payload, which is the table's
     */
    public record InBatch(
            long id,
            String name,
            long parent,
            BatchState state,
            Duration age,
            String startedBy,
            Optional<Throwable> startedAt,
            String group,
            int priority,
            boolean latencySensitive,
            long held,
            long index,
            long live,
            long pinned,
            long unused,
            long spilled,
            long objects,
            long spilledObjects,
            long pins,
            long keptObjects,
            long kept) {}

    /**
     * A collected batch whose memory readers hold still. What is forgotten of it is empty.
     *
     * @param id its id
     * @param name empty also if it had none
     * @param group the path of the group it was in; empty also for none
     * @param age since it was started; zero if that is forgotten
     * @param startedBy the thread
     * @param held pages
     * @param pins holds of readers and writers, a count
     */
    public record Draining(long id, String name, String group, Duration age, String startedBy, long held, long pins) {}

    private static final int FIELDS = 17;
    private static final int DRAINING_FIELDS = 4;
    private static final int TEXTS = 3;
    private static final int ROOT = 1;
    private static final int LATENCY_SENSITIVE = 2;

    /** Where a batch was started. */
    interface Sites {
        Optional<Throwable> of(long id);
    }

    /** From {@link Native#memory}. */
    static MemoryReport of(String store, Object[] parts, Sites sites) {
        long[] w = (long[]) parts[0];
        long[] f = (long[]) parts[1];
        String[] texts = (String[]) parts[2];
        List<InBatch> batches = new ArrayList<>();
        for (int n = 0, b = 0; b < f.length; n += TEXTS, b += FIELDS) {
            batches.add(new InBatch(
                    f[b],
                    known(texts[n]),
                    (f[b + 2] & ROOT) != 0 ? 0 : f[b + 1],
                    BatchState.of(f[b + 3]),
                    Duration.ofMillis(Math.max(0, w[0] - f[b + 4])),
                    known(texts[n + 1]),
                    sites.of(f[b]),
                    known(texts[n + 2]),
                    Math.toIntExact(f[b + 5]),
                    (f[b + 2] & LATENCY_SENSITIVE) != 0,
                    f[b + 6],
                    f[b + 7],
                    f[b + 8],
                    f[b + 9],
                    f[b + 10],
                    f[b + 11],
                    f[b + 12],
                    f[b + 13],
                    f[b + 14],
                    f[b + 15],
                    f[b + 16]));
        }
        return new MemoryReport(
                Instant.ofEpochMilli(w[0]),
                store,
                w[1],
                w[2],
                w[3],
                w[4],
                w[5],
                w[6],
                new Table(w[7], w[8], w[9], w[10], w[11], w[12], w[13], w[14]),
                new Files(w[15], w[16], w[17], w[18], w[19], w[20], w[21]),
                GroupStatus.of((long[]) parts[3], (String[]) parts[4]),
                List.copyOf(batches),
                records(w[22], (long[]) parts[7], (String[]) parts[8]),
                draining(w[0], (long[]) parts[5], (String[]) parts[6]));
    }

    private static Records records(long bytes, long[] f, String[] names) {
        List<HeldFor> actors = new ArrayList<>();
        List<HeldFor> batches = new ArrayList<>();
        for (int n = 0; n < names.length; n++) {
            (f[3 * n] == 1 ? actors : batches).add(new HeldFor(f[3 * n + 1], names[n], f[3 * n + 2]));
        }
        return new Records(bytes, List.copyOf(actors), List.copyOf(batches));
    }

    private static List<Draining> draining(long now, long[] f, String[] texts) {
        List<Draining> all = new ArrayList<>();
        for (int n = 0, b = 0; b < f.length; n += TEXTS, b += DRAINING_FIELDS) {
            Duration age = f[b + 1] == 0 ? Duration.ZERO : Duration.ofMillis(Math.max(0, now - f[b + 1]));
            all.add(new Draining(f[b], known(texts[n]), known(texts[n + 2]), age, known(texts[n + 1]), f[b + 2], f[b + 3]));
        }
        return List.copyOf(all);
    }

    private static String known(String text) {
        return text == null ? "" : text;
    }

    /** {@return the bytes lent: all but the free ones} */
    public long used() {
        return capacity - free;
    }

    /** {@return the report for people, a line or two for each group and batch} */
    public String toText() {
        StringBuilder out = new StringBuilder();
        line(out, "store %s: %s of %s used at %s", store, size(used()), size(capacity), at);
        line(out, "  free %s (warm %s, largest run %s)", size(free), size(warm), size(largestFreeRun));
        line(out, "  bookkeeping %s, draining %s", size(bookkeeping), size(draining));
        line(out, "  records of tasks %s%s%s", size(records.bytes()), heldFor(records.actors()), heldFor(records.batches()));
        line(
                out,
                "  table %s: normal mode %s, kept %s, pinned %s, unused %s; in files %s; %d objects",
                size(table.held()), size(table.normal()), size(table.kept()), size(table.pinned()), size(table.unused()),
                size(table.spilled()), table.objects());
        line(
                out,
                "  files %s: %d objects of %s; written %s, restored %s, served %d, errors %d",
                size(files.size()), files.objects(), size(files.bytes()), size(files.written()), size(files.restored()),
                files.served(), files.errors());
        for (GroupStatus g : groups) {
            GroupStatus.Usage u = g.usage();
            GroupStatus.Limits most = g.limits();
            line(
                    out,
                    "  group %s: holds %s, its share is %s; %s%s in %d%s objects; %d batches, %d%s tasks run%s; refused %d times",
                    g.path(), size(u.held()), size(u.share()), size(u.bytes()),
                    most.maxBytes().isPresent() ? " of " + size(most.maxBytes().getAsLong()) : "", u.objects(),
                    most.maxObjects().isPresent() ? " of " + most.maxObjects().getAsLong() : "", u.batches(), u.tasks(),
                    most.maxTasks().isPresent() ? " of " + most.maxTasks().getAsInt() : "",
                    most.maxPriority().isPresent() ? ", priority at most " + most.maxPriority().getAsInt() : "",
                    u.refused());
        }
        for (InBatch b : batches) {
            line(
                    out,
                    "  batch %d%s, %s for %s, started by %s%s%s",
                    b.id(),
                    b.name().isEmpty() ? "" : " '" + b.name() + "'",
                    b.state().name().toLowerCase(Locale.ROOT),
                    b.age(),
                    b.startedBy(),
                    b.group().isEmpty() ? "" : ", in group " + b.group(),
                    b.latencySensitive() ? ", latency-sensitive" : "");
            line(
                    out,
                    "    %s: live %s, pinned %s, index %s, unused %s; in files %s; %d objects; keeps %d of %s",
                    size(b.held()), size(b.live()), size(b.pinned()), size(b.index()), size(b.unused()),
                    size(b.spilled()), b.objects(), b.keptObjects(), size(b.kept()));
            b.startedAt().ifPresent(site -> {
                for (StackTraceElement frame : site.getStackTrace()) {
                    line(out, "      at %s", frame);
                }
            });
        }
        for (Draining b : drainingBatches) {
            line(
                    out,
                    "  batch %d%s, draining, %s old, started by %s%s: %s, %d holds",
                    b.id(), b.name().isEmpty() ? "" : " '" + b.name() + "'", b.age(), b.startedBy(),
                    b.group().isEmpty() ? "" : ", in group " + b.group(), size(b.held()), b.pins());
        }
        return out.toString();
    }

    private static void line(StringBuilder out, String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private static String heldFor(List<HeldFor> all) {
        StringBuilder out = new StringBuilder();
        all.forEach(it -> out.append(", ").append(size(it.bytes())).append(" for ").append(it.name()));
        return out.toString();
    }

    private static String size(long bytes) {
        if (bytes < 10 << 10) {
            return bytes + " B";
        }
        return bytes < 10 << 20
                ? String.format(Locale.ROOT, "%.1f KiB", bytes / 1024.0)
                : String.format(Locale.ROOT, "%.1f MiB", bytes / 1024.0 / 1024.0);
    }

    /** {@return the report as a JSON object, with the names of the records' components} */
    public String toJson() {
        StringBuilder out = new StringBuilder("{");
        text(out, "at", at.toString()).append(',');
        text(out, "store", store).append(',');
        numbers(
                out,
                new String[] {"capacity", "bookkeeping", "draining", "free", "warm", "largestFreeRun"},
                capacity, bookkeeping, draining, free, warm, largestFreeRun);
        out.append(",\"table\":{");
        numbers(
                out,
                new String[] {"held", "normal", "kept", "pinned", "unused", "spilled", "objects", "spilledObjects"},
                table.held(), table.normal(), table.kept(), table.pinned(), table.unused(), table.spilled(),
                table.objects(), table.spilledObjects());
        out.append("},\"files\":{");
        numbers(
                out,
                new String[] {"size", "objects", "bytes", "written", "restored", "served", "errors"},
                files.size(), files.objects(), files.bytes(), files.written(), files.restored(), files.served(),
                files.errors());
        out.append("},\"groups\":[");
        for (int n = 0; n < groups.size(); n++) {
            out.append(n == 0 ? "{" : ",{");
            json(out, groups.get(n));
            out.append('}');
        }
        out.append("],\"batches\":[");
        for (int n = 0; n < batches.size(); n++) {
            out.append(n == 0 ? "{" : ",{");
            json(out, batches.get(n));
            out.append('}');
        }
        out.append("],\"records\":{");
        numbers(out, new String[] {"bytes"}, records.bytes());
        json(out, "actors", records.actors());
        json(out, "batches", records.batches());
        out.append("},\"drainingBatches\":[");
        for (int n = 0; n < drainingBatches.size(); n++) {
            Draining b = drainingBatches.get(n);
            numbers(out.append(n == 0 ? "{" : ",{"), new String[] {"id"}, b.id()).append(',');
            text(out, "name", b.name()).append(',');
            text(out, "startedBy", b.startedBy()).append(',');
            text(out, "group", b.group()).append(',');
            numbers(out, new String[] {"ageMillis", "held", "pins"}, b.age().toMillis(), b.held(), b.pins()).append('}');
        }
        return out.append("]}").toString();
    }

    private static void json(StringBuilder out, GroupStatus g) {
        GroupStatus.Limits most = g.limits();
        GroupStatus.Usage u = g.usage();
        text(out, "path", g.path()).append(',');
        most.maxBytes().ifPresent(n -> numbers(out, new String[] {"maxBytes"}, n).append(','));
        most.maxObjects().ifPresent(n -> numbers(out, new String[] {"maxObjects"}, n).append(','));
        most.maxTasks().ifPresent(n -> numbers(out, new String[] {"maxTasks"}, n).append(','));
        most.maxPriority().ifPresent(n -> numbers(out, new String[] {"maxPriority"}, n).append(','));
        numbers(
                out,
                new String[] {"bytes", "objects", "held", "share", "batches", "tasks", "refused"},
                u.bytes(), u.objects(), u.held(), u.share(), u.batches(), u.tasks(), u.refused());
    }

    private static void json(StringBuilder out, InBatch b) {
        numbers(out, new String[] {"id", "parent"}, b.id(), b.parent());
        out.append(',');
        text(out, "name", b.name()).append(',');
        text(out, "state", b.state().name().toLowerCase(Locale.ROOT)).append(',');
        text(out, "startedBy", b.startedBy()).append(',');
        text(out, "group", b.group()).append(',');
        out.append("\"latencySensitive\":").append(b.latencySensitive()).append(',');
        numbers(
                out,
                new String[] {
                    "ageMillis", "priority", "held", "index", "live", "pinned", "unused", "spilled", "objects",
                    "spilledObjects", "pins", "keptObjects", "kept"
                },
                b.age().toMillis(), b.priority(), b.held(), b.index(), b.live(), b.pinned(), b.unused(), b.spilled(),
                b.objects(), b.spilledObjects(), b.pins(), b.keptObjects(), b.kept());
        if (b.startedAt().isPresent()) {
            out.append(",\"startedAt\":[");
            String comma = "";
            for (StackTraceElement frame : b.startedAt().get().getStackTrace()) {
                out.append(comma);
                quote(out, frame.toString());
                comma = ",";
            }
            out.append(']');
        }
    }

    private static void json(StringBuilder out, String name, List<HeldFor> all) {
        out.append(",\"").append(name).append("\":[");
        for (int n = 0; n < all.size(); n++) {
            HeldFor it = all.get(n);
            numbers(out.append(n == 0 ? "{" : ",{"), new String[] {"number"}, it.number()).append(',');
            text(out, "name", it.name()).append(',');
            numbers(out, new String[] {"bytes"}, it.bytes()).append('}');
        }
        out.append(']');
    }

    private static StringBuilder text(StringBuilder out, String name, String value) {
        out.append('"').append(name).append("\":");
        return quote(out, value);
    }

    private static StringBuilder numbers(StringBuilder out, String[] names, long... values) {
        for (int n = 0; n < names.length; n++) {
            out.append(n == 0 ? "" : ",").append('"').append(names[n]).append("\":").append(values[n]);
        }
        return out;
    }

    private static StringBuilder quote(StringBuilder out, String text) {
        out.append('"');
        for (int n = 0; n < text.length(); n++) {
            char c = text.charAt(n);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < ' ') {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"');
    }
}
