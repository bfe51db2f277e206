package io.raybatch;

import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Ends batches, and waits for their tasks: not inside of a task of the batch or of one within it, which would wait for itself.
 * Collection, where it is asked for, follows the last task whether or not somebody waits.
 */
final class Ends {

    private static final long[] NOT_YET = new long[0];

    private final RayApi ray;

    Ends(RayApi ray) {
        this.ray = ray;
    }

    GcResult end(long id, long life, boolean collect, boolean checkpoint, List<ObjectRef<?>> keep) {
        return result(collect, end(id, life, collect, checkpoint, keep, true));
    }

    /** As {@link #end}, with nobody waiting. */
    CompletionStage<GcResult> endAsync(long id, long life, boolean collect, List<ObjectRef<?>> keep) {
        try {
            long itsLife = lifeOf(id, life);
            long[] figures = end(id, itsLife, collect, false, keep, false);
            long[] over = over(id, itsLife);
            if (over != null || ray.tasks().engineIfStarted() == null) {
                return CompletableFuture.completedFuture(result(collect, over == null ? figures : over));
            }
            return Stages.of(ray, new Completion(id, itsLife, collect));
        } catch (RayException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private long[] endNow(long id, long life, boolean collect, boolean save, byte[] keep) {
        return Native.endBatch(ray.client(), id, life, collect, save, keep, EndReason.CLOSED.ordinal(), Caller.name());
    }

    private long[] end(long id, long life, boolean collect, boolean checkpoint, List<ObjectRef<?>> keep, boolean wait) {
        TaskContext.checked();
        byte[] ids = keep == null ? null : ObjectIds.of(keep);
        long itsLife = wait ? lifeOf(id, life) : life;
        boolean save = checkpoint && ray.tasks().engineIfStarted() != null;
        long[] figures;
        try {
            figures = endNow(id, life, collect, save, ids);
        } catch (StoreFullException full) {
            // no space to keep them in
            figures = ray.room().waiting(full, () -> endNow(id, life, collect, save, ids));
        } catch (BatchEndedException | BatchNotFoundException | ObjectCollectedException ended) {
            ray.current().endedById(id, life);
            throw ended;
        }
        Reference.reachabilityFence(keep);
        ray.current().endedById(id, life);
        if (collect) {
            ray.settled(id);
        }
        long[] over = wait ? await(id, itsLife, Deadline.NEVER) : null;
        Flight.pass();
        return over == null ? figures : over;
    }

    private static GcResult result(boolean collect, long[] figures) {
        return collect ? GcResult.of(figures) : GcResult.NONE;
    }

    /** Which life of an id is meant: another may begin while this one's end is waited for. Not asked while there are no tasks. */
    private long lifeOf(long id, long life) {
        if (life != 0 || ray.tasks().engineIfStarted() == null) {
            return life;
        }
        return ((long[]) Native.status(ray.client(), id, 0)[0])[0];
    }

    /**
     * Waits until a batch that was ended is over, unless it would be for the waiting task.
     *
     * @return false if the deadline passed before
     */
    boolean awaitOver(long id, long life, Deadline deadline) {
        return await(id, lifeOf(id, life), deadline) != NOT_YET;
    }

    /** Null where it is not waited for; {@link #NOT_YET} when the deadline passed. */
    private long[] await(long id, long life, Deadline deadline) {
        Engine engine = ray.tasks().engineIfStarted();
        if (engine == null) {
            return null;
        }
        long[] over = engine.over(ray, id, life);
        if (over != null || isInside(id, life)) {
            return over;
        }
        Waiter waiter = new Waiter(new End(engine, id, life));
        long token = Wakeups.register(waiter);
        try {
            while (true) {
                engine.whenOver(ray, id, life, token);
                over = engine.over(ray, id, life);
                if (over != null) {
                    return over;
                }
                if (!waiter.await(deadline)) {
                    return NOT_YET;
                }
            }
        } catch (DeadlockException itself) {
            // a task of the batch waits for the one that ends it: as inside of the batch, collection follows without it
            return null;
        } finally {
            Wakeups.forget(token);
            Reader.unwatch(ray.client(), token);
        }
    }

    private long[] over(long id, long life) {
        Engine engine = ray.tasks().engineIfStarted();
        if (engine == null) {
            return null;
        }
        return engine.over(ray, id, life);
    }

    /** True in a task of that batch, or of one within it. */
    private boolean isInside(long id, long life) {
        TaskContext task = TaskContext.current();
        if (task == null || task.scope() == null) {
            return false;
        }
        BatchScope scope = task.scope();
        while (true) {
            if (scope.id() == id && scope.life() == life) {
                return true;
            }
            if (scope.parent() == null) {
                return liesWithin(scope.id(), id);
            }
            scope = scope.parent();
        }
    }

    /** By what the store knows, where handles know no more. */
    private boolean liesWithin(long inner, long outer) {
        try {
            long id = inner;
            while (id != 0) {
                id = ray.status(id).parent();
                if (id == outer) {
                    return id != 0;
                }
            }
        } catch (BatchNotFoundException forgotten) {
            // collected long ago, and whatever was around it: it is not waited for
        }
        return false;
    }

    /** What a thread waits for that ends a batch. */
    private final class End implements Awaited {

        private final Engine engine;
        private final long id;
        private final long life;

        End(Engine engine, long id, long life) {
            this.engine = engine;
            this.id = id;
            this.life = life;
        }

        @Override
        public RayApi ray() {
            return ray;
        }

        @Override
        public int block(long client, int serial, long slot, int attempt) {
            return Native.blockOnBatch(client, serial, slot, attempt, id, life);
        }

        @Override
        public String describe() {
            return "the end of batch " + id + ": " + engine.describe(ray, id, life);
        }
    }

    /** What a batch released, once it is over. */
    private final class Completion implements Stages.Source<GcResult> {

        private final long id;
        private final long life;
        private final boolean collect;

        Completion(long id, long life, boolean collect) {
            this.id = id;
            this.life = life;
            this.collect = collect;
        }

        @Override
        public void watch(long token) {
            ray.tasks().engine().whenOver(ray, id, life, token);
        }

        @Override
        public Object poll() {
            long[] over = ray.tasks().engine().over(ray, id, life);
            return over == null ? Values.ABSENT : result(collect, over);
        }

        @Override
        public void close() {
            // it holds nothing
        }
    }
}
