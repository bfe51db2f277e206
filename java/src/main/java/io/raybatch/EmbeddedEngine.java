package io.raybatch;

import java.time.Duration;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * The engine of one machine: the store's table decides, threads of this JVM run. Functions and arguments stay on the heap, in a
 * directory of their batch that goes as a whole.
 */
final class EmbeddedEngine implements Engine {

    /** The owner of the store, whose engine this is. */
    private final RayApi ray;
    private final int slots;
    private final Duration grace;
    private final WorkerPool pool;
    private final Watch watch;
    private final Orders orders;
    private final Scheduler scheduler;
    private final Instances instances = new Instances();
    private final SpareFailures spareFailures = new SpareFailures();
    private final HeldScopes held;
    private final Submitter submitter;

    /** serial → what the engine knows of that life of a batch */
    private final ConcurrentMap<Integer, BatchWork> works = new ConcurrentHashMap<>();

    EmbeddedEngine(RayApi ray) {
        RayConfig config = ray.config();
        this.ray = ray;
        this.slots = config.taskSlots();
        this.grace = config.interruptGrace();
        this.pool = new WorkerPool(this, slots);
        this.watch = new Watch(this);
        this.orders = new Orders(this);
        this.held = new HeldScopes(ray.client());
        this.submitter = new Submitter(this, held);
        this.scheduler = config.schedulingPolicy().isEmpty()
                ? null
                : new Scheduler(ray.client(), config.schedulingPolicy().get());
        Native.startTasks(ray.client(), slots, config.maxPendingTasks(), orders.token());
    }

    // ---- for its parts --------------------------------------------------------------------------------------------

    RayApi ray() {
        return ray;
    }

    long client() {
        return ray.client();
    }

    WorkerPool pool() {
        return pool;
    }

    Watch watch() {
        return watch;
    }

    Orders orders() {
        return orders;
    }

    Submitter submitter() {
        return submitter;
    }

    SpareFailures spareFailures() {
        return spareFailures;
    }

    Instances instances() {
        return instances;
    }

    /** True for each client of its store. */
    boolean serves(RayApi other) {
        return other == ray || other.storeName().equals(ray.storeName());
    }

    /** Null for one that is gone. */
    BatchWork work(int serial) {
        return works.get(serial);
    }

    /** As {@link Native#take}, with the user's policy if there is one. */
    int take(long[] out) {
        return scheduler == null ? Native.take(client(), 0, Bulk.MOST, out) : scheduler.take(out);
    }

    /** Does what flags ask for. */
    void heed(int flags) {
        if ((flags & Native.FLAG_WAKE) != 0) {
            pool.wake();
        }
        if ((flags & Native.FLAG_ORDERS) != 0) {
            orders.carryOut();
        }
    }

    /** Looks now and then for batches that need not be kept reachable any more. */
    void sweep(long now) {
        held.sweepIfDue(now);
    }

    /** There is nothing to do: looks for batches that need not be kept reachable any more, and does what nobody hurried with. */
    void letGoOfIdle() {
        held.sweep();
        orders.carryOut();
    }

    /** A batch's records are gone. */
    void drop(int serial) {
        BatchWork gone = works.remove(serial);
        if (gone != null) {
            held.forget(gone);
        }
    }

    /** What a task is told that asks for something after it was cancelled: by whom, if its result says so already. */
    TaskCancelledException cancellationOf(TaskContext task) {
        if (task.work() == null) {
            return Failures.cancelled("saving or restoring an actor", "", "", ErrorDetails.NONE);
        }
        ObjectId result = new ObjectId(task.work().batch(), task.work().life() + task.slot(), 0);
        try {
            Object found = Values.get(ray, null, 0, result.batch(), result.task(), result.index());
            if (found instanceof Failures.Failure failure) {
                RayException why = failure.exception(result, ray.config().serializer());
                String reason = why instanceof TaskCancelledException who ? who.reason()
                        : why instanceof ActorDiedException ? why.getMessage() : "";
                return Failures.cancelled("task " + task.name(), reason, "", ErrorDetails.of(result));
            }
        } catch (RayException gone) {
            // with its batch
        }
        return Failures.cancelled("task " + task.name(), "", "", ErrorDetails.of(result));
    }

    // ---- submitting -----------------------------------------------------------------------------------------------

    @Override
    public long submit(BatchScope scope, TaskCaller<?> call, int returns) {
        if (call.cpus() > slots) {
            throw new InvalidArgumentException(
                    "cpus is " + call.cpus() + ", and the engine has " + slots
                            + " slots: the task could never run; RayConfig.taskSlots sets how many there are", ErrorDetails.NONE);
        }
        return submitter.task(scope, call, returns);
    }

    @Override
    public <A> ActorHandle<A> create(BatchScope scope, ActorCreator<A> call) {
        return submitter.actor(scope, call);
    }

    @Override
    public byte[] spareFailure(long batch, long task) {
        return spareFailures.of(batch, task);
    }

    @Override
    public long checkpoint(BatchScope scope, ActorHandle<?> actor) {
        return submitter.checkpoint(scope, actor);
    }

    /** What is known of a batch; null is the client's normal mode. */
    BatchWork work(RayApi who, BatchScope scope) {
        BatchWork known = scope == null ? who.tasks().normal() : scope.work();
        if (known != null) {
            return known;
        }
        long[] out = new long[2];
        long block = who.room().orWait(() -> Native.taskBlock(
                who.client(), scope == null ? 0 : scope.id(), scope == null ? 0 : scope.life(), SlotBlocks.sizeAfter(0), out));
        int serial = Math.toIntExact(out[0]);
        BatchWork fresh = new BatchWork(who, scope, serial, out[1]);
        fresh.refill(block);
        BatchWork there = works.putIfAbsent(serial, fresh);
        BatchWork work = there == null ? fresh : there;
        if (scope == null) {
            who.tasks().normal(work);
        } else {
            scope.work(work);
        }
        return work;
    }

    // ---- what else can be done about tasks --------------------------------------------------------------------------

    @Override
    public boolean cancel(ObjectRef<?> ref) {
        boolean cancelled = Native.cancelTask(ref.ray().client(), ref.batchId(), ref.task(), ref.index(), Caller.utf8());
        orders.carryOut();
        return cancelled;
    }

    @Override
    public void cancel(ActorHandle<?> actor) {
        Native.cancelActor(actor.ray().client(), actor.number(), Caller.utf8());
        orders.carryOut();
    }

    @Override
    public void cancel(RayApi who, long batch, long life) {
        Native.cancelBatch(who.client(), batch, life, Caller.utf8());
        orders.carryOut();
    }

    @Override
    public void kill(ActorHandle<?> actor, boolean forGood) {
        Native.killActor(actor.ray().client(), actor.number(), forGood, Caller.utf8());
        orders.carryOut();
    }

    @Override
    public void keep(RayApi who, int[] actors, BatchScope from, long to, long toLife) {
        for (int actor : actors) {
            instances.moved(actor);
        }
        Native.keepActors(who.client(), actors, from.id(), from.life(), to, toLife);
        orders.carryOut();
    }

    @Override
    public void rollback(RayApi who, long batch, long life) {
        Native.rollback(who.client(), batch, life);
        orders.carryOut();
    }

    @Override
    public byte[] remake(RayApi who, byte[] ids) {
        byte[] answers = Native.remake(who.client(), ids);
        pool.wake();
        return answers;
    }

    @Override
    public int freeRecursive(RayApi who, byte[] ids) {
        return Native.freeRecursive(who.client(), ids);
    }

    @Override
    public long[] over(RayApi who, long batch, long life) {
        return Native.batchOver(who.client(), batch, life);
    }

    @Override
    public void whenOver(RayApi who, long batch, long life, long token) {
        Native.watchBatch(who.client(), batch, life, token);
    }

    @Override
    public Object[] status(RayApi who, long batch, long life) {
        return Native.taskStatus(who.client(), batch, life);
    }

    @Override
    public Duration grace() {
        return grace;
    }

    // ---- its end --------------------------------------------------------------------------------------------------

    @Override
    public void left(RayApi who) {
        submitter.thereIsRoom();
    }

    @Override
    public void close() {
        submitter.close();
        pool.close();
        Native.cancelTasks(client(), Caller.utf8());
        orders.carryOut();
        for (Worker worker : pool.workers()) {
            if (worker != Thread.currentThread()) {
                // what the table has done on its own account
                worker.context().cancel();
            }
        }
        pool.awaitEnd(Deadline.nanos(grace));
        for (Worker worker : pool.workers()) {
            if (worker != Thread.currentThread() && worker.context().giveUp()) {
                RayLog.warn(worker.getName() + " goes on with a task after its engine has closed: it ignores interrupts", null);
            }
        }
        watch.close();
        orders.close();
        instances.clear();
        works.clear();
        held.clear();
    }
}
