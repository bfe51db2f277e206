package io.raybatch;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * How a {@link RayApi} is opened. What the builder is not told comes from system properties, and else is the default.
 *
 * <table>
 * <caption>Options</caption>
 * <tr><th>builder</th><th>system property</th><th>default</th></tr>
 * <tr><td>{@link Builder#storeName storeName}</td><td>{@code raybatch.storeName}</td><td>one that no other store has</td></tr>
 * <tr><td>{@link Builder#storeSize(String) storeSize}</td><td>{@code raybatch.storeSize}</td>
 *     <td>30 % of the smaller of memory and the cgroup's limit</td></tr>
 * <tr><td>{@link Builder#storePath storePath}</td><td>{@code raybatch.storePath}</td><td>memory without a file</td></tr>
 * <tr><td>{@link Builder#warmReserve(String) warmReserve}</td><td>{@code raybatch.warmReserve}</td>
 *     <td>half of storeSize</td></tr>
 * <tr><td>{@link Builder#preTouch preTouch}</td><td>{@code raybatch.preTouch}</td><td>{@code false}</td></tr>
 * <tr><td>{@link Builder#memoryMargin(String) memoryMargin}</td><td>{@code raybatch.memoryMargin}</td>
 *     <td>a thirty-second of the smaller of memory and the cgroup's limit, 32 MiB to 1 GiB</td></tr>
 * <tr><td>{@link Builder#eviction eviction}</td><td>{@code raybatch.eviction}</td><td>{@code batch}</td></tr>
 * <tr><td>{@link Builder#tombstones tombstones}</td><td>{@code raybatch.tombstones}</td><td>100000</td></tr>
 * <tr><td>{@link Builder#spillDirectory spillDirectory}</td><td>{@code raybatch.spillDirectory}</td>
 *     <td>none: a store that is full says so at once</td></tr>
 * <tr><td>{@link Builder#spillCapacity(String) spillCapacity}</td><td>{@code raybatch.spillCapacity}</td>
 *     <td>what the file system has</td></tr>
 * <tr><td>{@link Builder#spillHighWater spillHighWater}</td><td>{@code raybatch.spillHighWater}</td><td>80 percent</td></tr>
 * <tr><td>{@link Builder#spillNormalMode spillNormalMode}</td><td>{@code raybatch.spillNormalMode}</td>
 *     <td>{@code evict}</td></tr>
 * <tr><td>{@link Builder#spillWait spillWait}</td><td>{@code raybatch.spillWait}, in milliseconds</td><td>10 s</td></tr>
 * <tr><td>{@link Builder#directAccess directAccess}</td><td>{@code raybatch.directAccess}</td><td>{@code true}</td></tr>
 * <tr><td>{@link Builder#taskSlots taskSlots}</td><td>{@code raybatch.taskSlots}</td><td>as many as processors</td></tr>
 * <tr><td>{@link Builder#maxPendingTasks maxPendingTasks}</td><td>{@code raybatch.maxPendingTasks}</td>
 *     <td>2000000</td></tr>
 * <tr><td>{@link Builder#interruptGrace interruptGrace}</td><td>{@code raybatch.interruptGrace}, in milliseconds</td>
 *     <td>100 ms</td></tr>
 * <tr><td>{@link Builder#waitWarning waitWarning}</td><td>{@code raybatch.waitWarning}, in milliseconds</td><td>10 s</td></tr>
 * <tr><td>{@link Builder#schedulingPolicy schedulingPolicy}</td><td>–</td>
 *     <td>by priority, in turns within one</td></tr>
 * <tr><td>{@link Builder#leakDetection leakDetection}</td><td>{@code raybatch.leakDetection}</td><td>{@code simple}</td></tr>
 * <tr><td>{@link Builder#leakListener leakListener}</td><td>–</td><td>none: leaks are logged</td></tr>
 * <tr><td>{@link Builder#serializer serializer}</td><td>–</td><td>{@link Serializer#fory()}</td></tr>
 * <tr><td>–</td><td>{@code raybatch.library}</td><td>the native library: a path; the one in the jar if not given</td></tr>
 * <tr><td>–</td><td>{@code raybatch.tmpdir}</td><td>where the jar's library is unpacked: {@code java.io.tmpdir}</td></tr>
 * </table>
 *
 * <p>Immutable. The native side checks sizes and paths when the store is opened.
 */
public final class RayConfig {

    private final String connectTo;
    private final String storeName;
    private final long storeSize;
    private final Path storePath;
    private final long warmReserve;
    private final boolean preTouch;
    private final long memoryMargin;
    private final Eviction eviction;
    private final int tombstones;
    private final Path spillDirectory;
    private final long spillCapacity;
    private final int spillHighWater;
    private final SpillNormalMode spillNormalMode;
    private final Duration spillWait;
    private final boolean directAccess;
    private final int taskSlots;
    private final int maxPendingTasks;
    private final Duration interruptGrace;
    private final Duration waitWarning;
    private final SchedulingPolicy schedulingPolicy;
    private final LeakLevel leakDetection;
    private final Consumer<LeakReport> leakListener;
    private final Serializer serializer;

    private RayConfig(Builder b, String connectTo) {
        this.connectTo = connectTo;
        this.storeName = b.storeName;
        this.storeSize = b.storeSize;
        this.storePath = b.storePath;
        this.warmReserve = b.warmReserve;
        this.preTouch = b.preTouch;
        this.memoryMargin = b.memoryMargin;
        this.eviction = b.eviction;
        this.tombstones = b.tombstones;
        this.spillDirectory = b.spillDirectory;
        this.spillCapacity = b.spillCapacity;
        this.spillHighWater = b.spillHighWater;
        this.spillNormalMode = b.spillNormalMode;
        this.spillWait = b.spillWait;
        this.directAccess = b.directAccess;
        this.taskSlots = b.taskSlots;
        this.maxPendingTasks = b.maxPendingTasks;
        this.interruptGrace = b.interruptGrace;
        this.waitWarning = b.waitWarning;
        this.schedulingPolicy = b.schedulingPolicy;
        this.leakDetection = b.leakDetection;
        this.leakListener = b.leakListener;
        this.serializer = b.serializer;
    }

    /** {@return a builder that starts from the system properties} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return what the system properties say} */
    public static RayConfig defaults() {
        return builder().build();
    }

    /**
     * For a further client of a store that is open in this process.
     *
     * @param storeName its name
     * @return a configuration that opens no store
     */
    public static RayConfig connect(String storeName) {
        return builder().connect(storeName);
    }

    /** {@return the store to connect to; empty when a store is to be opened} */
    public Optional<String> connectTo() {
        return Optional.ofNullable(connectTo);
    }

    /** {@return the name to open the store under} */
    public Optional<String> storeName() {
        return Optional.ofNullable(storeName);
    }

    /** {@return bytes of the arena} */
    public OptionalLong storeSize() {
        return optional(storeSize);
    }

    /** {@return where the arena's file lies} */
    public Optional<Path> storePath() {
        return Optional.ofNullable(storePath);
    }

    /** {@return bytes of free memory that stay mapped for the next batch} */
    public OptionalLong warmReserve() {
        return optional(warmReserve);
    }

    /** {@return bytes of the system's memory that are left to other programs} */
    public OptionalLong memoryMargin() {
        return optional(memoryMargin);
    }

    /** {@return whether that memory is allocated when the store is opened} */
    public boolean preTouch() {
        return preTouch;
    }

    /** {@return what may be evicted} */
    public Eviction eviction() {
        return eviction;
    }

    /** {@return how many collected batches are remembered} */
    public OptionalInt tombstones() {
        return tombstones < 0 ? OptionalInt.empty() : OptionalInt.of(tombstones);
    }

    /** {@return where batches are written to when memory is short; empty when they are not} */
    public Optional<Path> spillDirectory() {
        return Optional.ofNullable(spillDirectory);
    }

    /** {@return the most bytes of spill files} */
    public OptionalLong spillCapacity() {
        return optional(spillCapacity);
    }

    /** {@return the percentage of the store in use above which it spills} */
    public OptionalInt spillHighWater() {
        return spillHighWater < 0 ? OptionalInt.empty() : OptionalInt.of(spillHighWater);
    }

    /** {@return what becomes of objects of normal mode when memory is short} */
    public SpillNormalMode spillNormalMode() {
        return spillNormalMode;
    }

    /** {@return how long at most a put waits for room in a full store that spills} */
    public Duration spillWait() {
        return spillWait;
    }

    /** {@return whether this client puts and gets in the store's memory without a native call for each} */
    public boolean directAccess() {
        return directAccess;
    }

    /** {@return how many tasks run at one time} */
    public int taskSlots() {
        return taskSlots;
    }

    /** {@return how many tasks can be pending before a submitter waits} */
    public int maxPendingTasks() {
        return maxPendingTasks;
    }

    /** {@return how long a cancelled task may go on before its thread is given up} */
    public Duration interruptGrace() {
        return interruptGrace;
    }

    /** {@return after how long a wait logs once what it waits for; zero for never} */
    public Duration waitWarning() {
        return waitWarning;
    }

    /** {@return who chooses the batch whose tasks run next; empty if raybatch does} */
    public Optional<SchedulingPolicy> schedulingPolicy() {
        return Optional.ofNullable(schedulingPolicy);
    }

    /** {@return how much is said about leaks} */
    public LeakLevel leakDetection() {
        return leakDetection;
    }

    /** {@return who is told of leaks, besides the log} */
    public Optional<Consumer<LeakReport>> leakListener() {
        return Optional.ofNullable(leakListener);
    }

    /** {@return what writes values that are neither arrays nor text} */
    public Serializer serializer() {
        return serializer;
    }

    private static OptionalLong optional(long value) {
        return value < 0 ? OptionalLong.empty() : OptionalLong.of(value);
    }

    /** {@code key, value, …} for {@link Native#open}. */
    String[] nativeOptions() {
        List<String> options = new ArrayList<>();
        storeName().ifPresent(name -> add(options, "name", name));
        storeSize().ifPresent(bytes -> add(options, "store.size", bytes));
        storePath().ifPresent(path -> add(options, "store.path", path));
        warmReserve().ifPresent(bytes -> add(options, "store.warmReserve", bytes));
        memoryMargin().ifPresent(bytes -> add(options, "store.memoryMargin", bytes));
        tombstones().ifPresent(count -> add(options, "tombstones", count));
        spillDirectory().ifPresent(path -> add(options, "spill.directory", path));
        spillCapacity().ifPresent(bytes -> add(options, "spill.capacity", bytes));
        spillHighWater().ifPresent(percent -> add(options, "spill.highWater", percent));
        add(options, "spill.normalMode", spillNormalMode.name().toLowerCase(Locale.ROOT));
        add(options, "store.preTouch", preTouch);
        add(options, "eviction", eviction.name().toLowerCase(Locale.ROOT));
        return options.toArray(String[]::new);
    }

    private static void add(List<String> options, String key, Object value) {
        options.add(key);
        options.add(value.toString());
    }

    /** Builds a {@link RayConfig}. Not for several threads at once. */
    public static final class Builder {

        private static final long NOT_GIVEN = -1;

        private String storeName = property("storeName");
        private long storeSize = size("storeSize");
        private Path storePath = property("storePath") == null ? null : Path.of(property("storePath"));
        private long warmReserve = size("warmReserve");
        private boolean preTouch = flag("preTouch", false);
        private long memoryMargin = size("memoryMargin");
        private Eviction eviction = constant("eviction", Eviction.class, Eviction.BATCH);
        private int tombstones = count("tombstones", 0, (int) NOT_GIVEN);
        private Path spillDirectory = property("spillDirectory") == null ? null : Path.of(property("spillDirectory"));
        private long spillCapacity = size("spillCapacity");
        private int spillHighWater = count("spillHighWater", 1, (int) NOT_GIVEN);
        private SpillNormalMode spillNormalMode =
                constant("spillNormalMode", SpillNormalMode.class, SpillNormalMode.EVICT);
        private Duration spillWait = Duration.ofMillis(count("spillWait", 0, 10_000));
        private boolean directAccess = flag("directAccess", true);
        private int taskSlots = count("taskSlots", 1, Runtime.getRuntime().availableProcessors());
        private int maxPendingTasks = count("maxPendingTasks", 1, 2_000_000);
        private Duration interruptGrace = Duration.ofMillis(count("interruptGrace", 0, 100));
        private Duration waitWarning = Duration.ofMillis(count("waitWarning", 0, 10_000));
        private SchedulingPolicy schedulingPolicy;
        private LeakLevel leakDetection = constant("leakDetection", LeakLevel.class, LeakLevel.SIMPLE);
        private Consumer<LeakReport> leakListener;
        private Serializer serializer;

        private Builder() {}

        /**
         * Names the store, so that others can {@link RayConfig#connect} to it.
         *
         * @param name unique in this process
         * @return this
         */
        public Builder storeName(String name) {
            this.storeName = Checks.text("storeName", required("storeName", name));
            return this;
        }

        /**
         * Sets the arena's size. What this machine cannot hold is refused at open.
         *
         * @param bytes at least a few pages
         * @return this
         */
        public Builder storeSize(long bytes) {
            this.storeSize = positive("storeSize", bytes);
            return this;
        }

        /**
         * Sets the arena's size.
         *
         * @param size as {@code 512m}, {@code 2g}
         * @return this
         */
        public Builder storeSize(String size) {
            return storeSize(ByteSize.parse("storeSize", required("storeSize", size)));
        }

        /**
         * Maps the arena from a file: in {@code /dev/shm}, or on a disk. The file gets mode 0600; a link is refused.
         *
         * @param path of the file
         * @return this
         */
        public Builder storePath(Path path) {
            this.storePath = required("storePath", path);
            return this;
        }

        /**
         * Sets how much free memory stays mapped for the next batch; the rest goes back to the system in the
         * background.
         *
         * @param bytes 0 for none
         * @return this
         */
        public Builder warmReserve(long bytes) {
            if (bytes < 0) {
                throw refused("warmReserve is " + bytes + ", and must not be negative");
            }
            this.warmReserve = bytes;
            return this;
        }

        /**
         * Sets how much free memory stays mapped for the next batch.
         *
         * @param size as {@code 64m}
         * @return this
         */
        public Builder warmReserve(String size) {
            return warmReserve(ByteSize.parse("warmReserve", required("warmReserve", size)));
        }

        /**
         * Has the memory of the warm reserve allocated when the store is opened, as the JVM does its heap with {@code
         * -XX:+AlwaysPreTouch}: opening takes longer, and no request pays for memory that is used for the first time.
         *
         * @param touch true to allocate it at once
         * @return this
         */
        public Builder preTouch(boolean touch) {
            this.preTouch = touch;
            return this;
        }

        /**
         * Sets how much memory the store leaves to other programs: before it asks the system for more it looks at what is
         * available on the machine and within the limits of the process's control groups, and where less than this would
         * remain it refuses with a {@link StoreFullException} instead. So no store has the system kill a program.
         *
         * @param bytes 0: the store does not look, and takes what the system gives
         * @return this
         */
        public Builder memoryMargin(long bytes) {
            if (bytes < 0) {
                throw refused("memoryMargin is " + bytes + ", and must not be negative");
            }
            this.memoryMargin = bytes;
            return this;
        }

        /**
         * Sets how much memory the store leaves to other programs.
         *
         * @param size as {@code 512m}; see {@link #memoryMargin(long)}
         * @return this
         */
        public Builder memoryMargin(String size) {
            return memoryMargin(ByteSize.parse("memoryMargin", required("memoryMargin", size)));
        }

        /**
         * Sets what may be evicted.
         *
         * @param eviction {@link Eviction#LRU} only to compare with
         * @return this
         */
        public Builder eviction(Eviction eviction) {
            this.eviction = required("eviction", eviction);
            return this;
        }

        /**
         * Sets how many collected batches are remembered, so that an old id gives an {@link ObjectCollectedException}
         * that says when and why.
         *
         * @param count 0 for none
         * @return this
         */
        public Builder tombstones(int count) {
            if (count < 0) {
                throw refused("tombstones is " + count + ", and must not be negative");
            }
            this.tombstones = count;
            return this;
        }

        /**
         * Has batches written to files when memory is short, and read back from there.
         *
         * @param directory made if it is not there; each process has a folder of its own in it, which goes with the store,
         *     or with the next one opened there if the process dies
         * @return this
         */
        public Builder spillDirectory(Path directory) {
            this.spillDirectory = required("spillDirectory", directory);
            return this;
        }

        /**
         * Limits the bytes of spill files. At the limit, batches stay in memory, as on a full disk.
         *
         * @param bytes positive
         * @return this
         */
        public Builder spillCapacity(long bytes) {
            this.spillCapacity = positive("spillCapacity", bytes);
            return this;
        }

        /**
         * As {@link #spillCapacity(long)}, as text.
         *
         * @param size such as {@code 100g}
         * @return this
         */
        public Builder spillCapacity(String size) {
            return spillCapacity(ByteSize.parse("spillCapacity", required("spillCapacity", size)));
        }

        /**
         * Sets how full the store is to be before it spills.
         *
         * @param percent of the store's bytes, 1 to 100
         * @return this
         */
        public Builder spillHighWater(int percent) {
            this.spillHighWater = (int) positive("spillHighWater", percent);
            return this;
        }

        /**
         * Sets what becomes of objects of normal mode when memory is short.
         *
         * @param what evicted or written to files
         * @return this
         */
        public Builder spillNormalMode(SpillNormalMode what) {
            this.spillNormalMode = required("spillNormalMode", what);
            return this;
        }

        /**
         * Sets how long a put waits for room when the store is full and spills. Not at all: {@link Duration#ZERO}.
         *
         * @param longest not negative
         * @return this
         */
        public Builder spillWait(Duration longest) {
            if (required("spillWait", longest).isNegative()) {
                throw refused("spillWait is " + longest + ", and must not be negative");
            }
            this.spillWait = longest;
            return this;
        }

        /**
         * Sets whether this client puts small objects of batches, and gets them, in the store's memory without a native
         * call for each. What is put and got is the same either way.
         *
         * @param direct false to go through the native side always, to compare or to narrow down a fault
         * @return this
         */
        public Builder directAccess(boolean direct) {
            this.directAccess = direct;
            return this;
        }

        /**
         * Sets how many tasks run at one time. One that waits for others' results does not count.
         *
         * @param slots positive
         * @return this
         */
        public Builder taskSlots(int slots) {
            this.taskSlots = (int) positive("taskSlots", slots);
            return this;
        }

        /**
         * Sets how many tasks can be submitted and not over: further submitters wait.
         *
         * @param tasks positive
         * @return this
         */
        public Builder maxPendingTasks(int tasks) {
            this.maxPendingTasks = (int) positive("maxPendingTasks", tasks);
            return this;
        }

        /**
         * Sets how long a task that is cancelled, and interrupted, may go on. Then its thread is given up, and another takes its
         * place. Closing waits that long as well for tasks that run.
         *
         * @param grace not negative
         * @return this
         */
        public Builder interruptGrace(Duration grace) {
            if (required("interruptGrace", grace).isNegative()) {
                throw refused("interruptGrace is " + grace + ", and must not be negative");
            }
            this.interruptGrace = grace;
            return this;
        }

        /**
         * Sets after how long a wait logs, once and as a warning, what it waits for: a {@code get}, {@code wait}, the end of a
         * batch, memory, or capacity to submit a task.
         *
         * @param longest not negative; {@link Duration#ZERO} for never
         * @return this
         */
        public Builder waitWarning(Duration longest) {
            if (required("waitWarning", longest).isNegative()) {
                throw refused("waitWarning is " + longest + ", and must not be negative");
            }
            this.waitWarning = longest;
            return this;
        }

        /**
         * Has somebody choose the batch whose tasks run next.
         *
         * @param policy see there
         * @return this
         */
        public Builder schedulingPolicy(SchedulingPolicy policy) {
            this.schedulingPolicy = required("schedulingPolicy", policy);
            return this;
        }

        /**
         * Sets how much is said about leaks.
         *
         * @param level see there
         * @return this
         */
        public Builder leakDetection(LeakLevel level) {
            this.leakDetection = required("leakDetection", level);
            return this;
        }

        /**
         * Has somebody told of leaks, besides the log. Called on a thread of raybatch's.
         *
         * @param listener should return soon
         * @return this
         */
        public Builder leakListener(Consumer<LeakReport> listener) {
            this.leakListener = required("leakListener", listener);
            return this;
        }

        /**
         * Sets what writes values that are neither arrays nor text.
         *
         * @param serializer safe for many threads
         * @return this
         */
        public Builder serializer(Serializer serializer) {
            this.serializer = required("serializer", serializer);
            return this;
        }

        /** {@return the configuration} */
        public RayConfig build() {
            return finish(null);
        }

        /**
         * Finishes a configuration that opens no store: of what was set, only direct access, leak detection and serializer count.
         *
         * @param storeName of a store that is open in this process
         * @return the configuration
         */
        public RayConfig connect(String storeName) {
            return finish(required("storeName", storeName));
        }

        private RayConfig finish(String connectTo) {
            if (serializer == null) {
                serializer = Serializer.fory();
            }
            return new RayConfig(this, connectTo);
        }

        private static String property(String name) {
            String value = System.getProperty("raybatch." + name);
            return value == null || value.isBlank() ? null : value.strip();
        }

        private static long size(String name) {
            String value = property(name);
            return value == null ? NOT_GIVEN : ByteSize.parse("raybatch." + name, value);
        }

        private static boolean flag(String name, boolean otherwise) {
            String value = property(name);
            if (value == null) {
                return otherwise;
            }
            if (value.equalsIgnoreCase("true") || value.equalsIgnoreCase("false")) {
                return Boolean.parseBoolean(value);
            }
            throw refused("raybatch." + name + " is \"" + value + "\", and must be true or false");
        }

        private static int count(String name, int least, int otherwise) {
            String value = property(name);
            if (value == null) {
                return otherwise;
            }
            try {
                int count = Integer.parseInt(value);
                if (count >= least) {
                    return count;
                }
            } catch (NumberFormatException notANumber) {
                // as for one that is less
            }
            throw refused("raybatch." + name + " is \"" + value + "\", and must be a number, " + least + " or more");
        }

        private static <E extends Enum<E>> E constant(String name, Class<E> type, E otherwise) {
            String value = property(name);
            if (value == null) {
                return otherwise;
            }
            try {
                return Enum.valueOf(type, value.toUpperCase(Locale.ROOT));
            } catch (IllegalArgumentException e) {
                StringBuilder all = new StringBuilder();
                for (E one : type.getEnumConstants()) {
                    all.append(all.isEmpty() ? "" : ", ").append(one.name().toLowerCase(Locale.ROOT));
                }
                throw refused("raybatch." + name + " is \"" + value + "\", and must be one of " + all);
            }
        }

        private static <T> T required(String what, T value) {
            if (value == null) {
                throw refused(what + " is null");
            }
            return value;
        }

        private static long positive(String what, long value) {
            if (value <= 0) {
                throw refused(what + " is " + value + ", and must be positive");
            }
            return value;
        }

        private static InvalidArgumentException refused(String why) {
            return new InvalidArgumentException(why, ErrorDetails.NONE);
        }
    }
}
