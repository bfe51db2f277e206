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
    private final CpuLoans loans = new CpuLoans(this);

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

    /**
     * Fails a piece of work that is ready, as there is no thread to be had for it.
     *
     * @return false if nothing was ready
     */
    boolean failOne(Throwable noThread) {
        long[] piece = new long[Native.PIECE];
        try {
            if (Native.take(client(), 0, 1, piece) < 0) {
                return false;
            }
            int serial = (int) piece[0];
            BatchWork work = serial == 0 ? null : work(serial);
            Object entry = work == null ? null : work.functions().get(piece[1]);
            String name = entry == null ? "" : StoredCall.nameOf(entry);
            ThreadLimitException why = new ThreadLimitException(
                    ThreadLimitException.what("task " + name, noThread), ErrorDetails.NONE);
            byte[] payload = Thrown.payload(name, Thread.currentThread().getName(), why, ray.config().serializer());
            Report report = new Report(this);
            report.add(serial, piece[1], (int) piece[2], Native.FAILED_FINALLY, Native.KIND_FAILURE, payload, 0, payload.length, 0,
                    System.nanoTime());
            // tasks that become ready by that are handled later: not one after the other from here
            heed(report.send() & ~Native.FLAG_WAKE);
            return true;
        } catch (RayClosedException over) {
            return false;
        }
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

    /** Also carries out the orders that no caller was in a hurry for. */
    @Override
    public void releaseIdle() {
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
    RayException cancellationOf(TaskContext task) {
        if (task.work() == null) {
            return Failures.cancelled("saving or restoring an actor", "", "", ErrorDetails.NONE);
        }
        ObjectId result = new ObjectId(task.work().batch(), task.work().life() + task.slot(), 0);
        try {
            Object found = Values.get(ray, null, 0, result.batch(), result.task(), result.index());
            if (found instanceof Failures.Failure failure) {
                RayException why = failure.exception(result, ray.config().serializer());
                if (why.batchEndReason().isPresent()) {
                    return why;
                }
                String reason = why instanceof TaskCancelledException who ? who.reason()
                        : why instanceof ActorDiedException ? why.getMessage() : "";
                return Failures.cancelled("task " + task.name(), reason, "", ErrorDetails.of(result));
            }
        } catch (RayException collected) {
            EndReason reason = collected.batchEndReason().orElse(null);
            if (reason != null) {
                return Failures.batchEnded("task " + task.name(), reason, collected.getMessage(), "", result);
            }
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
    public String describe(RayApi who, ObjectId id) {
        return named(Native.describeObject(who.client(), id.batch(), id.task(), id.index()));
    }

    @Override
    public String describe(RayApi who, long batch, long life) {
        return named(Native.describeBatch(who.client(), batch, life));
    }

    private String named(Object[] described) {
        return named((String) described[0], (long[]) described[1]);
    }

    /**
     * A text of the table's, with the names of tasks, and of the threads that run them.
     *
     * @param tasks serial and slot of each that it names by its id; null for none
     */
    String named(String text, long[] tasks) {
        String result = text;
        for (int n = 0; tasks != null && n + 1 < tasks.length; n += 2) {
            BatchWork work = works.get((int) tasks[n]);
            if (work != null) {
                String id = new ObjectId(work.batch(), work.life() + tasks[n + 1], 0).toString();
                result = result.replace("task " + id, "task " + nameOf(work, (int) tasks[n], tasks[n + 1], id));
            }
        }
        return result;
    }

    private String nameOf(BatchWork work, int serial, long slot, String id) {
        Object entry = work.functions().get(slot);
        StringBuilder name = new StringBuilder(entry == null ? "" : StoredCall.nameOf(entry)).append(" (").append(id);
        for (Worker worker : pool.workers()) {
            if (worker.context().seemsAt(serial, slot)) {
                name.append(", on thread ").append(worker.getName());
            }
        }
        return name.append(')').toString();
    }

    @Override
    public void waitsOutside(boolean begins) {
        loans.waitsOutside(begins);
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
        new Steps()
                .run(submitter::close)
                .run(pool::close)
                .run(() -> Native.cancelTasks(client(), Caller.utf8()))
                .run(orders::carryOut)
                .run(this::endWorkers)
                .run(watch::close)
                .run(orders::close)
                .run(instances::clear)
                .run(works::clear)
                .run(held::clear)
                .end();
    }

    private void endWorkers() {
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
    }
}
