package io.raybatch;

import java.util.Optional;

/**
 * Batches that belong together, a user's or a job's: what all of them together may use, and what of the store is their fair
 * share. Groups lie within groups, and what a batch uses counts to its group and to those around it.
 *
 * <pre>{@code
 * ResourceGroup user = ray.group("user-a").maxBytes(1L << 30);
 * ResourceGroup job = user.group("job-7").maxTasks(4);
 * try (Batch b = ray.startBatch(BatchOptions.builder().group(job).build())) {
 *     ...
 * }
 * }</pre>
 *
 * <p>All clients of a store share its groups. A group stays until it is {@linkplain #remove() removed} or the store closes.
 * Limits can be changed at any time: one below what is in use takes nothing away, and refuses what is new. A put over a
 * limit throws a {@link BatchLimitException} that names each step with its use and its limit, and changes nothing.
 *
 * <p>The store's memory is divided evenly among the outermost groups that have a batch or hold something; what is in no
 * group counts as one of them when it holds something. A group's share is divided in the same way among those within it.
 * Where others leave memory unused a group may have more than its share. When memory is short, whoever is furthest above
 * their share is spilled first; and beyond the high-water mark nobody who is above it gets more, so that what is left is for
 * those who are below.
 *
 * <p>A handle by name: two of the same path are the same group. Safe for many threads.
 */
public final class ResourceGroup {

    /** For {@link #maxBytes} and {@link #maxObjects}: as many as there is room for. */
    public static final long NO_LIMIT = Long.MAX_VALUE;

    private static final int BYTES = 0;
    private static final int OBJECTS = 1;
    private static final int TASKS = 2;
    private static final int PRIORITY = 3;

    private final RayApi ray;
    private final String path;

    private ResourceGroup(RayApi ray, String path) {
        this.ray = ray;
        this.path = path;
    }

    /** Makes it, or finds it. */
    static ResourceGroup open(RayApi ray, String path) {
        Native.openGroup(ray.client(), path);
        return new ResourceGroup(ray, path);
    }

    static String checkedName(String name) {
        if (Checks.notNull("the group's name", name).indexOf('/') >= 0) {
            throw new InvalidArgumentException(
                    "'" + name + "' has a '/', and is no name of a group; make the outer one first, and this one in it",
                    ErrorDetails.NONE);
        }
        return Checks.text("the group's name", name);
    }

    /** The path, for a batch of that store. */
    String pathIn(RayApi other) {
        if (!other.storeName().equals(ray.storeName())) {
            throw new InvalidArgumentException(
                    this + " is of another store than " + other.storeName() + ", whose batches cannot be in it",
                    ErrorDetails.NONE);
        }
        return path;
    }

    /** {@return its own name} */
    public String name() {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** {@return its name, after those of the groups it is in, with {@code /} between them} */
    public String path() {
        return path;
    }

    /** {@return the group it is in} */
    public Optional<ResourceGroup> parent() {
        int end = path.lastIndexOf('/');
        return end < 0 ? Optional.empty() : Optional.of(new ResourceGroup(ray, path.substring(0, end)));
    }

    /**
     * Makes a group within this one, or finds it.
     *
     * @param name 1 to 64 bytes of UTF-8 without {@code /}
     * @return the group; at most 8 lie within each other
     */
    public ResourceGroup group(String name) {
        return open(ray, path + "/" + checkedName(name));
    }

    /**
     * Limits the payload of the group's objects, in memory and in files.
     *
     * @param bytes not negative; {@link #NO_LIMIT} for none
     * @return this
     * @throws GroupNotFoundException when it was removed
     */
    public ResourceGroup maxBytes(long bytes) {
        return limit(BYTES, bytes == NO_LIMIT ? GroupStatus.NONE : notNegative("maxBytes", bytes));
    }

    /**
     * Limits how many objects the group has at one time.
     *
     * @param objects not negative; {@link #NO_LIMIT} for none
     * @return this
     * @throws GroupNotFoundException when it was removed
     */
    public ResourceGroup maxObjects(long objects) {
        return limit(OBJECTS, objects == NO_LIMIT ? GroupStatus.NONE : notNegative("maxObjects", objects));
    }

    /**
     * Limits how many tasks of the group's batches run at one time; the others wait. Those that wait for something do not
     * count. With 0 no further task begins. Those that have yet to begin are among the {@link RayConfig#maxPendingTasks()
     * pending} ones, which are counted for the whole store: who submits without end to a group that is held back fills that up.
     *
     * @param tasks not negative; {@link Integer#MAX_VALUE} for no limit
     * @return this
     * @throws GroupNotFoundException when it was removed
     */
    public ResourceGroup maxTasks(int tasks) {
        return limit(TASKS, tasks == Integer.MAX_VALUE ? GroupStatus.NONE : notNegative("maxTasks", tasks));
    }

    /**
     * Limits the priority of the group's batches, and of tasks that are given one of their own. Those that are there keep
     * theirs.
     *
     * @param priority the highest; {@link Integer#MAX_VALUE} for any
     * @return this
     * @throws GroupNotFoundException when it was removed
     */
    public ResourceGroup maxPriority(int priority) {
        return limit(PRIORITY, priority == Integer.MAX_VALUE ? GroupStatus.NONE : priority);
    }

    private ResourceGroup limit(int which, long most) {
        Native.limitGroup(ray.client(), path, which, most);
        return this;
    }

    private static long notNegative(String what, long value) {
        if (value < 0) {
            throw new InvalidArgumentException(what + " is " + value + ", and must not be negative", ErrorDetails.NONE);
        }
        return value;
    }

    /**
     * Tells the group's limits and what it uses.
     *
     * @return limits and usage at one moment
     * @throws GroupNotFoundException when it was removed
     */
    public GroupStatus status() {
        Object[] parts = Native.groups(ray.client(), path);
        return GroupStatus.of((long[]) parts[0], (String[]) parts[1]).get(0);
    }

    /** {@return the group's limits, as {@link #status()} has them} */
    public GroupStatus.Limits limits() {
        return status().limits();
    }

    /** {@return what the group uses, as {@link #status()} has it} */
    public GroupStatus.Usage usage() {
        return status().usage();
    }

    /**
     * Removes the group.
     *
     * @throws GroupActiveException when a batch in it is not collected, or a group is within it
     * @throws GroupNotFoundException when it was removed
     */
    public void remove() {
        Native.removeGroup(ray.client(), path);
    }

    /** {@return its path} */
    @Override
    public String toString() {
        return "group '" + path + "'";
    }
}
