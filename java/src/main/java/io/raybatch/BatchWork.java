package io.raybatch;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.WeakReference;

/**
 * One life of a batch as the engine knows it: what its tasks run, and the slots that threads may take for more of them.
 *
 * <p>As long as tasks of it are not over the engine keeps its scope reachable, so that it is not taken for leaked.
 */
final class BatchWork {

    private static final int LEFT_BITS = 17;
    private static final long LEFT_MASK = (1L << LEFT_BITS) - 1;

    private static final VarHandle FREE;

    static {
        try {
            FREE = MethodHandles.lookup().findVarHandle(BatchWork.class, "free", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final RayApi ray;
    private final int serial;
    private final long batch;
    private final long life;
    private final MappedRegion region;
    private final Functions functions = new Functions();
    private final WeakReference<BatchScope> scope;

    /** The scope while tasks may be active. */
    private volatile BatchScope held;
    /** The next slot to take, and how many are left from there: {@code next << 17 | left}. */
    private volatile long free;
    /** How many the last block had. Guarded by this. */
    private int size;

    /** @param scope null in normal mode */
    BatchWork(RayApi ray, BatchScope scope, int serial, long base) {
        this.ray = ray;
        this.serial = serial;
        this.batch = scope == null ? 0 : scope.id();
        this.life = base;
        this.region = scope == null ? null : scope.region();
        this.scope = scope == null ? null : new WeakReference<>(scope);
    }

    /** Of whoever submitted to it first. */
    RayApi ray() {
        return ray;
    }

    int serial() {
        return serial;
    }

    /** 0 in normal mode. */
    long batch() {
        return batch;
    }

    /** Its base; that of normal mode. */
    long life() {
        return life;
    }

    /** Null where all goes through the native side. */
    MappedRegion region() {
        return region;
    }

    Functions functions() {
        return functions;
    }

    /** {@return a scope of it, for its tasks to be in; null in normal mode} */
    BatchScope scope() {
        if (scope == null) {
            return null;
        }
        BatchScope known = held;
        if (known == null) {
            known = scope.get();
        }
        // a run again of what nobody refers to any more: nothing is watched then
        return known == null ? BatchScope.heldById(ray, batch, life, null, null, region) : known;
    }

    // ---- slots ----------------------------------------------------------------------------------------------------

    /** The first of so many consecutive slots for a task of a thread's. */
    long slots(RayApi who, int count) {
        while (true) {
            long f = free;
            long left = f & LEFT_MASK;
            if (left < count) {
                who.room().orWait(() -> refill(who, f, count));
            } else if (FREE.compareAndSet(this, f, (f >>> LEFT_BITS) + count << LEFT_BITS | left - count)) {
                return f >>> LEFT_BITS;
            }
        }
    }

    /** False if somebody else was first. */
    private synchronized boolean refill(RayApi who, long seen, int count) {
        if (free != seen) {
            return false;
        }
        int next = SlotBlocks.sizeAfter(size);
        refill(Native.taskBlock(who.client(), batch, batch == 0 ? 0 : life, Math.max(next, count), new long[2]));
        size = next;
        return true;
    }

    /** @param block as {@link Native#taskBlock} gave it */
    void refill(long block) {
        free = SlotBlocks.firstOf(block) << LEFT_BITS | SlotBlocks.countOf(block);
    }

    // ---- leaks ----------------------------------------------------------------------------------------------------

    /** A task was submitted by somebody who has the scope. */
    void hold(BatchScope current) {
        if (held == null) {
            held = current;
        }
    }

    boolean isHeld() {
        return held != null;
    }

    /** As many slots were taken: differs when one was since. */
    long taken() {
        return free;
    }

    /**
     * Lets go of the scope, since no task was active when that was asked.
     *
     * @return what it was, to be given to {@link #hold} if there was a task after all
     */
    BatchScope letGo() {
        BatchScope was = held;
        held = null;
        return was;
    }
}
