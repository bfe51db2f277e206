package io.raybatch;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;

/** What a client does with tasks: finds the batch and the engine, and makes references of slots. */
final class Tasks {

    /** In this time what has returned is reported to the table, unless the system is overloaded. */
    private static final long REPORT_NANOS = 250_000_000;

    private final RayApi ray;
    private volatile Engine known;
    /** What the engine knows of this client's normal mode; null until that has a task. */
    private volatile BatchWork normal;

    Tasks(RayApi ray) {
        this.ray = ray;
    }

    /** Started, if it was not. */
    Engine engine() {
        Engine engine = known;
        if (engine == null) {
            engine = Engines.of(ray);
            known = engine;
        }
        return engine;
    }

    /** Null if the store had no task yet. */
    Engine engineIfStarted() {
        Engine engine = known;
        return engine != null ? engine : Engines.ifStarted(ray);
    }

    /** Null until normal mode has a task. */
    BatchWork normal() {
        return normal;
    }

    void normal(BatchWork work) {
        normal = work;
    }

    <R> ObjectRef<R> submit(TaskCaller<R> call) {
        BatchScope scope = scopeOf(call);
        long slot;
        try {
            slot = engine().submit(scope, call, Engine.AS_IT_IS);
        } catch (BatchEndedException | BatchNotFoundException ended) {
            return elsewhere(call, ended, s -> ray.refOf(s, Slots.pack(engine().submit(s, call, Engine.AS_IT_IS), 0), false));
        }
        return ray.refOf(scope, Slots.pack(slot, 0), false);
    }

    <E> List<ObjectRef<E>> submit(TaskCaller<?> call, int returns) {
        BatchScope scope = scopeOf(call);
        try {
            return results(scope, engine().submit(scope, call, returns), returns);
        } catch (BatchEndedException | BatchNotFoundException ended) {
            return elsewhere(call, ended, s -> results(s, engine().submit(s, call, returns), returns));
        }
    }

    private BatchScope scopeOf(TaskCaller<?> call) {
        return call.scope() != null ? call.scope() : ray.current().get();
    }

    /** The current batch has ended: unless that was by its id, so that the one below it is current, this fails. */
    private <T> T elsewhere(TaskCaller<?> call, RayException ended, Function<BatchScope, T> work) {
        if (call.scope() != null) {
            throw ended;
        }
        return ray.inCurrent(work);
    }

    private <E> List<ObjectRef<E>> results(BatchScope scope, long slot, int returns) {
        List<ObjectRef<E>> refs = new ArrayList<>(returns);
        for (int i = 0; i < returns; i++) {
            refs.add(ray.refOf(scope, Slots.pack(slot + i, i), false));
        }
        return refs;
    }

    /** The client has closed: who waits to submit for it is to see that. */
    void left() {
        Engine engine = engineIfStarted();
        if (engine != null) {
            engine.left(ray);
        }
    }

    // ---- lineage --------------------------------------------------------------------------------------------------

    /** True if a lost object is there again, or is being made. */
    boolean remake(ObjectId id) {
        Engine engine = engineIfStarted();
        return engine != null && engine.remake(ray, id.toBytes())[0] != Native.REMAKE_NEVER;
    }

    /** Somebody waits for these: what was evicted from normal mode, and can be made, is to be made again. */
    void want(List<? extends ObjectRef<?>> refs) {
        Engine engine = engineIfStarted();
        if (engine == null) {
            return;
        }
        List<ObjectRef<?>> perhaps = new ArrayList<>(0);
        for (ObjectRef<?> ref : refs) {
            if (ref.batchId() == 0) {
                perhaps.add(ref);
            }
        }
        if (!perhaps.isEmpty()) {
            engine.remake(ray, ObjectIds.of(perhaps));
        }
    }

    /** How far the making of an object is, in words. */
    String describe(ObjectRef<?> ref) {
        Engine engine = engineIfStarted();
        return engine == null ? "no task makes it" : engine.describe(ray, ref.id());
    }

    int freeRecursive(List<? extends ObjectRef<?>> refs) {
        byte[] ids = ObjectIds.of(refs);
        Engine engine = engineIfStarted();
        return engine == null ? Native.free(ray.client(), ids) : engine.freeRecursive(ray, ids);
    }

    // ---- cancelling -----------------------------------------------------------------------------------------------

    boolean cancel(ObjectRef<?> ref) {
        TaskContext.checked();
        Engine engine = engineIfStarted();
        return engine != null && engine.cancel(ref);
    }

    void cancelBatch(long batch, long life) {
        TaskContext.checked();
        engine().cancel(ray, batch, life);
    }

    void rollback(Batch batch) {
        TaskContext.checked();
        long start = System.nanoTime();
        while (true) {
            try {
                engine().rollback(ray, batch.id(), batch.scope().life());
                return;
            } catch (BatchActiveException active) {
                // a result is there before the table knows that its task is over: the caller may have got the last one just now
                if (System.nanoTime() - start > REPORT_NANOS) {
                    throw active;
                }
                LockSupport.parkNanos(REPORT_NANOS / 1000);
            }
        }
    }
}
