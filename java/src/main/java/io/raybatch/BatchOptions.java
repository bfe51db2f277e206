package io.raybatch;

import java.time.Duration;

/**
 * How a batch is started. Immutable; limits of a batch count what the batches within it use, too.
 */
public final class BatchOptions {

    static final BatchOptions DEFAULTS = builder().build();

    private final String name;
    private final long id;
    private final Batch parent;
    private final long parentId;
    private final long timeoutMillis;
    private final long maxBytes;
    private final long maxObjects;
    private final int priority;
    private final boolean noCleanup;
    private final int maxTasks;
    private final boolean checkpointActors;
    private final boolean latencySensitive;
    private final ResourceGroup group;
    private final boolean root;
    private final boolean notCurrent;
    private final OnFailure onFailure;

    private BatchOptions(Builder b) {
        this.name = b.name;
        this.id = b.id;
        this.parent = b.parent;
        this.parentId = b.parentId;
        this.timeoutMillis = b.timeoutMillis;
        this.maxBytes = b.maxBytes;
        this.maxObjects = b.maxObjects;
        this.priority = b.priority;
        this.noCleanup = b.noCleanup;
        this.maxTasks = b.maxTasks;
        this.checkpointActors = b.checkpointActors;
        this.latencySensitive = b.latencySensitive;
        this.group = b.group;
        this.root = b.root;
        this.notCurrent = b.notCurrent;
        this.onFailure = b.onFailure;
    }

    /** {@return a builder without limits} */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Nothing but a name.
     *
     * @param name for messages and {@link BatchStatus}
     * @return the options
     */
    public static BatchOptions named(String name) {
        return builder().name(name).build();
    }

    /** Null: none. */
    String name() {
        return name;
    }

    /** 0: the store chooses. */
    long id() {
        return id;
    }

    /** Null: none given by handle. */
    Batch parent() {
        return parent;
    }

    /** 0: none given by id. */
    long parentId() {
        return parentId;
    }

    /** 0: none; likewise the limits. */
    long timeoutMillis() {
        return timeoutMillis;
    }

    long maxBytes() {
        return maxBytes;
    }

    long maxObjects() {
        return maxObjects;
    }

    int priority() {
        return priority;
    }

    boolean noCleanup() {
        return noCleanup;
    }

    boolean latencySensitive() {
        return latencySensitive;
    }

    /** Null: that of the batch around it. */
    ResourceGroup group() {
        return group;
    }

    int maxTasks() {
        return maxTasks;
    }

    boolean checkpointActors() {
        return checkpointActors;
    }

    /** True for a child of the root, whatever is current. */
    boolean root() {
        return root;
    }

    boolean notCurrent() {
        return notCurrent;
    }

    OnFailure onFailure() {
        return onFailure;
    }

    /** Builds {@link BatchOptions}. Not for several threads at once. */
    public static final class Builder {

        private String name;
        private long id;
        private Batch parent;
        private long parentId;
        private long timeoutMillis;
        private long maxBytes;
        private long maxObjects;
        private int priority;
        private boolean noCleanup;
        private int maxTasks;
        private boolean checkpointActors;
        private boolean latencySensitive;
        private ResourceGroup group;
        private boolean root;
        private boolean notCurrent;
        private OnFailure onFailure = OnFailure.WAIT;

        private Builder() {}

        /**
         * Names the batch.
         *
         * @param name for messages and {@link BatchStatus}; need not be unique
         * @return this
         */
        public Builder name(String name) {
            this.name = name;
            return this;
        }

        /**
         * Chooses the id. Such a batch is held by it until it is ended: dropping the handle ends nothing. Unless a
         * parent is given it is a child of the root, whatever batch is current.
         *
         * @param id 1 … 2^63 - 1, or one of {@link RayApi#newBatchId()}
         * @return this
         */
        public Builder id(long id) {
            this.id = notZero("id", id);
            return this;
        }

        /**
         * Puts the batch in another, instead of the current one.
         *
         * @param parent an open batch
         * @return this
         */
        public Builder parent(Batch parent) {
            if (parent == null) {
                throw new InvalidArgumentException("parent is null", ErrorDetails.NONE);
            }
            this.parent = parent;
            this.parentId = 0;
            this.root = false;
            return this;
        }

        /**
         * Puts the batch in another, instead of the current one.
         *
         * @param parent id of an open batch
         * @return this
         */
        public Builder parent(long parent) {
            this.parentId = notZero("parent", parent);
            this.parent = null;
            this.root = false;
            return this;
        }

        /**
         * Has the batch be outermost, a child of the client's root, whatever is current, and also where the current batch has ended.
         * It takes the place of a {@link #parent(Batch) parent}.
         *
         * @return this
         */
        public Builder root() {
            this.root = true;
            this.parent = null;
            this.parentId = 0;
            return this;
        }

        /**
         * Has the batch not become current in the thread that starts it: only its handle, or its id, puts and submits into it.
         *
         * @return this
         */
        public Builder notCurrent() {
            this.notCurrent = true;
            return this;
        }

        /**
         * Sets what {@link Batch#close()} does with the batch's tasks where its body failed, which is to say, did not come to
         * {@link Batch#end()}:
         *
         * <pre>{@code
         * try (Batch b = ray.startBatch(BatchOptions.builder().onFailure(OnFailure.CANCEL).build())) {
         *     ...
         *     b.end();    // waits for the tasks; a body that throws before leaves none running
         * }
         * }</pre>
         *
         * @param onFailure {@link OnFailure#WAIT} unless set
         * @return this
         */
        public Builder onFailure(OnFailure onFailure) {
            this.onFailure = Checks.notNull("onFailure", onFailure);
            return this;
        }

        /**
         * Limits the batch's time: it is then ended and collected, and what waits for its objects fails.
         *
         * @param timeout positive; counted in whole milliseconds, rounded up
         * @return this
         */
        public Builder timeout(Duration timeout) {
            if (Checks.notNull("the timeout", timeout).isNegative() || timeout.isZero()) {
                throw new InvalidArgumentException("timeout is " + timeout + ", and must be positive", ErrorDetails.NONE);
            }
            long nanos = Deadline.nanos(timeout);
            this.timeoutMillis = nanos / 1_000_000 + (nanos % 1_000_000 == 0 ? 0 : 1);
            return this;
        }

        /**
         * Limits the batch's memory.
         *
         * @param bytes positive
         * @return this
         */
        public Builder maxBytes(long bytes) {
            this.maxBytes = positive("maxBytes", bytes);
            return this;
        }

        /**
         * Limits how many objects the batch has at one time.
         *
         * @param objects positive
         * @return this
         */
        public Builder maxObjects(long objects) {
            this.maxObjects = positive("maxObjects", objects);
            return this;
        }

        /**
         * Has the batch, and all within it, count to a group. What is within a batch is in the same group as that one, so
         * this is for batches in the root: those that are started where none is current, or with an {@linkplain #id id}.
         *
         * @param group of the same store
         * @return this
         */
        public Builder group(ResourceGroup group) {
            this.group = Checks.notNull("group", group);
            return this;
        }

        /**
         * Sets the order in which batches get their turn where they compete; larger is earlier, and spilled later when
         * memory is short.
         *
         * @param priority 0 unless set
         * @return this
         */
        public Builder priority(int priority) {
            this.priority = priority;
            return this;
        }

        /**
         * Has {@link Batch#close()} collect nothing; {@link Batch#delete()} or {@link RayApi#gc} does it later.
         *
         * @return this
         */
        public Builder noCleanup() {
            this.noCleanup = true;
            return this;
        }

        /**
         * Never has the batch, or one in it, written to files when memory is short: for a request that must not wait for
         * a disk. What it needs, others have to make room for.
         *
         * @return this
         */
        public Builder latencySensitive() {
            this.latencySensitive = true;
            return this;
        }

        /**
         * Limits how many of the batch's own tasks run at one time; the others wait.
         *
         * @param tasks positive
         * @return this
         */
        public Builder maxTasks(int tasks) {
            this.maxTasks = Math.toIntExact(positive("maxTasks", tasks));
            return this;
        }

        /**
         * Has each actor that is {@link Checkpointable} saved before the batch's first task on it, so that the batch can be
         * {@linkplain RayApi#rollback rolled back}.
         *
         * @param checkpoint false unless set
         * @return this
         */
        public Builder checkpointActors(boolean checkpoint) {
            this.checkpointActors = checkpoint;
            return this;
        }

        /** {@return the options} */
        public BatchOptions build() {
            return new BatchOptions(this);
        }

        private static long positive(String what, long value) {
            if (value <= 0) {
                throw new InvalidArgumentException(what + " is " + value + ", and must be positive", ErrorDetails.NONE);
            }
            return value;
        }

        private static long notZero(String what, long value) {
            if (value == 0) {
                throw new InvalidArgumentException(what + " is 0, which means normal mode: no batch", ErrorDetails.NONE);
            }
            return value;
        }
    }
}
