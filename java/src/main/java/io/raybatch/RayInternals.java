package io.raybatch;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicReference;

/** What most programs never need. From {@link RayApi#internal()}. */
public final class RayInternals {

    private final RayApi ray;

    /** object → the holds on it */
    private final ConcurrentMap<ObjectId, Deque<ObjectView>> pins = new ConcurrentHashMap<>();

    RayInternals(RayApi ray) {
        this.ray = ray;
    }

    /**
     * Writes an object in place. What was not written yet is zeroed first. The memory is the buffer's as long as the
     * buffer, or one made from it, is reachable, so that it is never another's; but whoever writes through it after the
     * object was sealed changes what is meant to be immutable, and nothing stops them.
     *
     * @param writer of an unsealed object
     * @return a direct, writable buffer over the whole object, big-endian as buffers are at first
     */
    public ByteBuffer writableBuffer(ObjectWriter writer) {
        return writer.writableBuffer();
    }

    /**
     * Walks the whole store, for tests: every byte in use is accounted for.
     *
     * @throws RayInternalException when its sums do not add up
     */
    public void audit() {
        Native.audit(ray.client());
    }

    /**
     * Has an object stay in memory until it is unpinned as often: it is neither spilled nor evicted, and a deletion or the
     * end of its batch leaves its memory in use. Sharp: nothing unpins it but {@link #unpin} and the client's end.
     *
     * @param ref of a sealed object
     * @throws ObjectNotFoundException when it is not there, or not sealed yet
     */
    public void pin(ObjectRef<?> ref) {
        ObjectView hold = ray.read(ref);
        pins.compute(ref.id(), (id, holds) -> {
            Deque<ObjectView> all = holds == null ? new ArrayDeque<>() : holds;
            all.push(hold);
            return all;
        });
    }

    /**
     * Takes one pin away.
     *
     * @param ref of the object
     * @return false if it was not pinned by {@link #pin}
     */
    public boolean unpin(ObjectRef<?> ref) {
        AtomicReference<ObjectView> hold = new AtomicReference<>();
        pins.computeIfPresent(ref.id(), (id, holds) -> {
            hold.set(holds.pop());
            return holds.isEmpty() ? null : holds;
        });
        if (hold.get() == null) {
            return false;
        }
        hold.get().close();
        return true;
    }

    /**
     * Takes objects out of memory at once, whatever {@link #pin} says of them, and whether or not space is short. What a task
     * made is made again when somebody wants it; what was put is lost. Sharp: as {@link RayApi#free}, it asks nobody who may still
     * need them, and unlike that it takes pins away.
     *
     * @param refs objects of any batch that lives, or of normal mode
     * @param recursive whether the arguments of the tasks that made them go as well, if nobody else needs them: every task that takes
     *     one is over, and has no live result
     * @return how many gave up their bytes at once; one that a view or a buffer holds does so when that is let go
     */
    public int unsafeEvict(Collection<? extends ObjectRef<?>> refs, boolean recursive) {
        for (ObjectRef<?> ref : refs) {
            while (unpin(ref)) {
                // one pin after the other
            }
        }
        return ray.free(refs, recursive);
    }

    /**
     * Writes all that may be spilled to files now, however much room there is: all but what is held, unsealed or
     * latency-sensitive.
     *
     * @return the bytes of memory that went back; 0 in a store that does not spill
     * @throws StoreIoException when the disk is full or fails; what was not written yet stays in memory
     */
    public long spill() {
        return Native.spill(ray.client());
    }
}
