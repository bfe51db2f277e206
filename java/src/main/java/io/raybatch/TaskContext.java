package io.raybatch;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The task that a worker runs, as that worker knows it: whose batch it is in, which ids it has left to give, and whether it is
 * over already. What a task puts and submits takes ids from blocks that the table remembers, the nth being the nth
 * again when the task is run again.
 *
 * <p>All but {@link #cancel}, {@link #abandon}, {@link #isCancelled} and {@link #since} is for the worker's thread.
 */
final class TaskContext {

    /** The phase, in the state's low bits; above the flags is the number of the run. */
    private static final long IDLE = 0;
    private static final long RUNNING = 1;
    private static final long BLOCKED = 2;
    private static final long ABANDONED = 3;
    private static final long PHASE = 3;
    /** The run is over for the table. */
    private static final long CANCELLED = 4;
    /** Somebody is about to interrupt it: nobody else changes the state. */
    private static final long BUSY = 8;
    /** Its thread waits for something outside of raybatch, and others have its cpus. */
    private static final long LENT = 16;
    private static final long ONE_RUN = 32;
    private static final long RUN = -ONE_RUN;
    /** In place of a state. */
    static final long MISSED = -1;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(TaskContext.class, "state", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final EmbeddedEngine engine;
    private final Worker worker;
    private final SlotBlocks puts = new SlotBlocks();
    private final SlotBlocks tasks = new SlotBlocks();

    private volatile long state;

    private BatchWork work;
    private BatchScope scope;
    private Object entry;
    private int serial;
    private long slot;
    private int attempt;
    /** Blocks it has received. */
    private int blocks;
    private long since;

    TaskContext(EmbeddedEngine engine, Worker worker) {
        this.engine = engine;
        this.worker = worker;
    }

    /** {@return the task that the current thread runs; null in any other thread} */
    static TaskContext current() {
        if (!(Thread.currentThread() instanceof Worker worker)) {
            return null;
        }
        TaskContext context = worker.context();
        return (context.state & PHASE) == IDLE ? null : context;
    }

    /** {@return {@link #current()}, which must not be over} */
    static TaskContext checked() {
        TaskContext context = current();
        if (context != null && context.isCancelled()) {
            throw context.cancelled();
        }
        return context;
    }

    // ---- one run --------------------------------------------------------------------------------------------------

    /**
     * A run begins.
     *
     * @param work null for what the table has done on its own account
     * @param entry as {@link Functions} has it
     */
    void begin(BatchWork work, BatchScope scope, Object entry, int serial, long slot, int attempt, long now) {
        this.work = work;
        this.scope = scope;
        this.entry = entry;
        this.serial = serial;
        this.slot = slot;
        this.attempt = attempt;
        this.blocks = 0;
        this.since = now;
        puts.clear();
        tasks.clear();
        state = (state & RUN) + ONE_RUN | RUNNING;
    }

    /** {@return false if it was abandoned: the thread is nobody's any more} */
    boolean end() {
        while (true) {
            long s = state;
            if ((s & PHASE) == ABANDONED) {
                return false;
            }
            if ((s & BUSY) == 0 && STATE.compareAndSet(this, s, s & RUN | IDLE)) {
                if ((s & LENT) != 0) {
                    engine.pool().unblocked();
                }
                entry = null;
                scope = null;
                work = null;
                return true;
            }
            Thread.onSpinWait();
        }
    }

    BatchWork work() {
        return work;
    }

    /** Null in normal mode. */
    BatchScope scope() {
        return scope;
    }

    int serial() {
        return serial;
    }

    long slot() {
        return slot;
    }

    int attempt() {
        return attempt;
    }

    /** When it began, by {@link System#nanoTime}; of the last one when there is none now. */
    long since() {
        return since;
    }

    /** What it is called in messages. */
    String name() {
        return serial == 0 ? "of an actor's checkpoint" : StoredCall.nameOf(entry);
    }

    /** True for a task of that engine; saving or restoring an actor is none. */
    boolean isTaskOf(EmbeddedEngine other) {
        return engine == other && serial != 0;
    }

    /** True if that is the batch that the task is in; null is normal mode, which each client has its own of. */
    boolean isIn(RayApi ray, BatchScope batch) {
        if (serial == 0) {
            return false;
        }
        return batch == null
                ? work.batch() == 0 && work.ray() == ray
                : batch.id() == work.batch() && batch.life() == work.life() && engine.serves(ray);
    }

    // ---- ids ------------------------------------------------------------------------------------------------------

    /** The first of so many consecutive slots for a task that it submits to its own batch. */
    long taskSlots(int count) {
        long first = tasks.take(count);
        if (first < 0) {
            tasks.refill(block(tasks.next(count), false));
            first = tasks.take(count);
        }
        return first;
    }

    private long block(int count, boolean forPuts) {
        long block = engine.ray().room().orWait(
                () -> Native.blockOf(engine.client(), serial, slot, attempt, blocks, count, forPuts));
        blocks++;
        return block;
    }

    /**
     * Puts a value into its own batch.
     *
     * @return {@code slot << 24 | index}
     */
    long put(Object value, Serializer serializer) {
        Values.Encoded e = Values.encode(value, serializer);
        long at = puts.take(1);
        if (at < 0) {
            puts.refill(block(puts.next(1), true));
            at = puts.take(1);
        }
        long first = puts.first();
        int index = (int) (at - first);
        try {
            putAs(first, index, e);
        } catch (StoreFullException full) {
            engine.ray().room().waiting(full, () -> putAs(first, index, e));
        }
        return Slots.pack(at, index);
    }

    private void putAs(long first, int index, Values.Encoded e) {
        Native.putInTask(engine.client(), serial, slot, attempt, first, index, e.array(), e.offset(), e.length(), e.kind());
    }

    // ---- waiting --------------------------------------------------------------------------------------------------

    /** True for any run of that engine. */
    boolean isOf(Engine other) {
        return engine == other;
    }

    /**
     * It is about to wait: others have its cpus meanwhile. {@link #unblock} follows, whatever this does.
     *
     * @param awaited null where that is not known
     * @throws DeadlockException when it would wait for itself
     */
    void block(Awaited awaited) {
        long before = move(RUNNING, BLOCKED);
        if (before == MISSED) {
            return;
        }
        try {
            worker.waits(serial, slot, attempt, awaited, (before & LENT) != 0);
        } catch (DeadlockException unnamed) {
            throw unnamed.named(engine);
        }
    }

    /** It goes on. */
    void unblock() {
        if (move(BLOCKED, RUNNING) != MISSED) {
            worker.goesOn(serial, slot, attempt);
        }
    }

    /** From one phase to another; nothing is lent then. What the state was; {@link #MISSED} when it is not in that phase. */
    private long move(long from, long to) {
        while (true) {
            long s = state;
            if ((s & PHASE) != from) {
                return MISSED;
            }
            if ((s & BUSY) == 0 && STATE.compareAndSet(this, s, s & ~(PHASE | LENT) | to)) {
                return s;
            }
            Thread.onSpinWait();
        }
    }

    // ---- waiting for what raybatch does not know of: for the watch's thread -----------------------------------------

    /** The number of the run that uses its cpus; {@link #MISSED} when there is none. */
    long running() {
        long s = state;
        return (s & (PHASE | LENT)) == RUNNING ? s & RUN : MISSED;
    }

    /** Changes with each run. */
    long runs() {
        return state & RUN;
    }

    boolean isLent() {
        return (state & LENT) != 0;
    }

    /** True if it seems to run that task: by no lock, for messages. */
    boolean seemsAt(int serial, long slot) {
        return (state & PHASE) != IDLE && this.serial == serial && this.slot == slot;
    }

    /** Lends the cpus of a run, or ends that; true if it is done. */
    boolean lend(long run, boolean lends) {
        while (true) {
            long s = state;
            if ((s & RUN) != run || (s & PHASE) != RUNNING || (s & LENT) != 0 == lends) {
                return false;
            }
            if ((s & BUSY) != 0 || !STATE.compareAndSet(this, s, s | BUSY)) {
                Thread.onSpinWait();
                continue;
            }
            boolean done = false;
            try {
                worker.lends(serial, slot, attempt, lends);
                done = true;
            } finally {
                state = done ? s ^ LENT : s;
            }
            return true;
        }
    }

    // ---- its end before it ends -----------------------------------------------------------------------------------

    boolean isCancelled() {
        long s = state;
        return (s & CANCELLED) != 0 || (s & PHASE) == ABANDONED;
    }

    /** What it is told when it asks for anything. */
    RayException cancelled() {
        return engine.cancellationOf(this);
    }

    /**
     * Interrupts a run, from any thread.
     *
     * @return the number of the run; -1 if it is not the one that runs here
     */
    long cancel(int serial, long slot, int attempt) {
        while (true) {
            long s = state;
            long phase = s & PHASE;
            if (phase != RUNNING && phase != BLOCKED) {
                return -1;
            }
            if ((s & BUSY) != 0 || !STATE.compareAndSet(this, s, s | BUSY)) {
                Thread.onSpinWait();
                continue;
            }
            if (this.serial == serial && this.slot == slot && this.attempt == attempt) {
                return interrupt(s);
            }
            state = s;
            return -1;
        }
    }

    /** Interrupts whatever runs; {@code -1} if nothing does. */
    long cancel() {
        while (true) {
            long s = state;
            long phase = s & PHASE;
            if (phase != RUNNING && phase != BLOCKED) {
                return -1;
            }
            if ((s & BUSY) == 0 && STATE.compareAndSet(this, s, s | BUSY)) {
                return interrupt(s);
            }
            Thread.onSpinWait();
        }
    }

    /** What the interrupt wakes is to find that it is cancelled. Nobody else changes the state meanwhile. */
    private long interrupt(long before) {
        state = before | CANCELLED | BUSY;
        worker.interrupt();
        state = before | CANCELLED;
        return before & RUN;
    }

    /** Gives a cancelled run up that has not ended; true if it was that one, and waits no more: the thread is nobody's now. */
    Abandoned abandon(long run) {
        while (true) {
            long s = state;
            long phase = s & PHASE;
            if ((s & RUN) != run || phase != RUNNING && phase != BLOCKED) {
                return null;
            }
            Abandoned what = new Abandoned(serial, slot, attempt, phase == BLOCKED || (s & LENT) != 0);
            if ((s & BUSY) == 0 && STATE.compareAndSet(this, s, s & ~(PHASE | LENT) | ABANDONED)) {
                return what;
            }
            Thread.onSpinWait();
        }
    }

    /** Gives up whatever still runs; true if something does. */
    boolean giveUp() {
        return abandon(state & RUN) != null;
    }

    /** A run that was given up; {@code waited} if it had given its slots up before. */
    record Abandoned(int serial, long slot, int attempt, boolean waited) {}
}
