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
            CompletableFuture<GcResult> result = new CompletableFuture<>();
            new Completion(id, itsLife, collect, result).look();
            return result;
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
            // no room to keep them in
            figures = ray.room().waiting(full, () -> endNow(id, life, collect, save, ids));
        }
        Reference.reachabilityFence(keep);
        if (collect) {
            ray.settled(id);
        }
        long[] over = wait ? await(id, itsLife) : null;
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

    /** Waits until a batch that was ended is over, unless it would be for the waiting task. */
    void awaitOver(long id, long life) {
        await(id, lifeOf(id, life));
    }

    /** Null where it is not waited for. */
    private long[] await(long id, long life) {
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
                waiter.await(Deadline.NEVER);
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

    /** Completes a stage when a batch is over. Woken by the native side, which must not be called back from there. */
    private final class Completion implements Runnable {

        private final long id;
        private final long life;
        private final boolean collect;
        private final CompletableFuture<GcResult> result;
        private final long token;

        Completion(long id, long life, boolean collect, CompletableFuture<GcResult> result) {
            this.id = id;
            this.life = life;
            this.collect = collect;
            this.result = result;
            this.token = Wakeups.register(this);
        }

        @Override
        public void run() {
            Background.run(this::look);
        }

        void look() {
            try {
                Engine engine = ray.tasks().engine();
                engine.whenOver(ray, id, life, token);
                long[] over = engine.over(ray, id, life);
                if (over != null) {
                    Wakeups.forget(token);
                    Reader.unwatch(ray.client(), token);
                    result.complete(result(collect, over));
                }
            } catch (RayException e) {
                Wakeups.forget(token);
                result.completeExceptionally(e);
            }
        }
    }
}
