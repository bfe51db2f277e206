package io.raybatch;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.Function;

/** Hands tasks over to the table: their ids, what they run, what they wait for; and waits while it is full. */
final class Submitter {

    /** How often a task that waits for room looks whether that is in vain. */
    private static final Duration CHECK = Duration.ofMillis(100);
    /** A checkpoint is a task of the actor that runs no function. */
    private static final RayVoidFunc0 NO_FUNCTION = () -> {};

    private final EmbeddedEngine engine;
    private final HeldScopes held;
    /** Those who wait for room. */
    private final Queue<Waiter> waiting = new ConcurrentLinkedQueue<>();
    private volatile boolean closed;

    Submitter(EmbeddedEngine engine, HeldScopes held) {
        this.engine = engine;
        this.held = held;
    }

    /** {@return the slot of its first result} */
    long task(BatchScope scope, TaskCaller<?> call, int returns) {
        TaskContext parent = parent();
        RayApi ray = call.ray();
        BatchWork work = workFor(parent, ray, scope);
        ActorHandle<?> actor = call.actor();
        int kind = actor == null ? Native.TASK : Native.ACTOR_TASK;
        return withArguments(ray, scope, call.arguments(), arguments -> {
            long slot = slots(parent, work, ray, Math.max(returns, 1));
            submit(scope, call, work, parent, slot, kind, actor == null ? 0 : actor.number(), returns, arguments);
            return slot;
        });
    }

    <A> ActorHandle<A> actor(BatchScope scope, ActorCreator<A> creator) {
        TaskContext parent = parent();
        BatchWork work = workFor(parent, creator.ray(), scope);
        return withArguments(creator.ray(), scope, creator.arguments(), arguments -> actor(scope, creator, parent, work, arguments));
    }

    private <A> ActorHandle<A> actor(BatchScope scope, ActorCreator<A> creator, TaskContext parent, BatchWork work,
            Arguments arguments) {
        RayApi ray = creator.ray();
        long slot = slots(parent, work, ray, 1);
        String name = creator.toString();
        CheckpointPolicy policy = creator.checkpoints();
        int number = Native.newActor(ray.client(), work.serial(), slot, name.getBytes(StandardCharsets.UTF_8),
                creator.restarts(), creator.faultTolerant(), policy.kind(), policy.every());
        TaskCaller<?> call = new TaskCaller<>(ray, scope, null, creator.constructor(), Calls.NONE).name(creator.name());
        boolean submitted = false;
        try {
            submit(scope, call, work, parent, slot, Native.ACTOR_CREATION, number, Engine.AS_IT_IS, arguments);
            submitted = true;
        } finally {
            if (!submitted) {
                // nobody will ever know its number
                Native.killActor(ray.client(), number, true, Caller.utf8());
            }
        }
        return new ActorHandle<>(ray, scope, number, name);
    }

    /** {@return the slot of a null that comes when it is done} */
    long checkpoint(BatchScope scope, ActorHandle<?> actor) {
        TaskContext parent = parent();
        BatchWork work = workFor(parent, actor.ray(), scope);
        long slot = slots(parent, work, actor.ray(), 1);
        TaskCaller<?> call = new TaskCaller<>(actor.ray(), scope, actor, NO_FUNCTION, Calls.NONE);
        submit(scope, call, work, parent, slot, Native.ACTOR_CHECKPOINT, actor.number(), Engine.AS_IT_IS, null);
        return slot;
    }

    // ---- its parts ------------------------------------------------------------------------------------------------

    /** The task that submits; null if no task of this engine's does. */
    private TaskContext parent() {
        TaskContext task = TaskContext.checked();
        return task != null && task.isTaskOf(engine) ? task : null;
    }

    private BatchWork workFor(TaskContext parent, RayApi ray, BatchScope scope) {
        return parent != null && parent.isIn(ray, scope) ? parent.work() : engine.work(ray, scope);
    }

    /**
     * Submits with arguments, null if there are none. What was put for a submission that is refused is freed: nobody has a reference
     * to it.
     */
    private <R> R withArguments(RayApi ray, BatchScope scope, Object[] given, Function<Arguments, R> submission) {
        if (given.length == 0) {
            return submission.apply(null);
        }
        checkStores(ray, given);
        Arguments arguments = Arguments.of(given, scope, new ArgumentPutter(ray, scope));
        boolean submitted = false;
        try {
            R result = submission.apply(arguments);
            submitted = true;
            return result;
        } finally {
            if (!submitted) {
                free(ray, arguments.put());
            }
        }
    }

    private record ArgumentPutter(RayApi ray, BatchScope scope) implements Arguments.Putter {
        @Override
        public ObjectRef<?> put(Object value) {
            return ray.put(scope, value);
        }

        @Override
        public void free(List<ObjectRef<?>> put) {
            Submitter.free(ray, put);
        }
    }

    /** Frees, and does not delete: a task that runs again puts the same objects again. */
    private static void free(RayApi ray, List<ObjectRef<?>> put) {
        if (put.isEmpty()) {
            return;
        }
        try {
            Native.free(ray.client(), ObjectIds.of(put));
        } catch (RayException collected) {
            // with their batch or their client; what refused the submission is thrown
        }
    }

    private static void checkStores(RayApi ray, Object[] given) {
        for (Object argument : given) {
            if (argument instanceof ObjectRef<?> ref) {
                ref.checkIsOf(ray);
            } else if (argument instanceof RefList list) {
                list.refs().forEach(ref -> ref.checkIsOf(ray));
            }
        }
    }

    /** Of the task's own blocks in its own batch, so that a run again receives the same. */
    private static long slots(TaskContext parent, BatchWork work, RayApi ray, int count) {
        return parent != null && parent.work() == work ? parent.taskSlots(count) : work.slots(ray, count);
    }

    private static Object entry(TaskCaller<?> call, int returns, Arguments arguments) {
        if (arguments != null) {
            return new StoredCall(call.function(), arguments.stored(), call.name(), returns, arguments.held());
        }
        return call.name() == null && returns == Engine.AS_IT_IS
                ? call.function()
                : new StoredCall(call.function(), Calls.NONE, call.name(), returns, null);
    }

    private void submit(BatchScope scope, TaskCaller<?> call, BatchWork work, TaskContext parent, long slot, int kind, int actor,
            int returns, Arguments arguments) {
        boolean set = work.functions().set(slot, entry(call, returns, arguments));
        byte[] ids = arguments == null ? null : arguments.ids();
        boolean done = false;
        try {
            int flags = tellOrWait(call, work, parent, slot, kind, actor, returns, ids);
            if ((flags & Native.FLAG_FULL) != 0) {
                flags = tellWhenThereIsRoom(call, work, parent, slot, kind, actor, returns, ids, flags);
            }
            done = true;
            held.hold(work, scope);
            accepted(flags);
        } finally {
            if (set && !done) {
                work.functions().clear(slot, 1);
            }
        }
    }

    /** The table has the task: whatever fails from here on, the submission does not. */
    private void accepted(int flags) {
        try {
            engine.heed(flags);
        } catch (RuntimeException | Error e) {
            RayLog.error("what follows a submission failed", e);
        }
    }

    /** Waits while the store has no room for its record; how many may be pending is looked at afterwards. */
    private static int tellOrWait(TaskCaller<?> call, BatchWork work, TaskContext parent, long slot, int kind, int actor, int returns,
            byte[] ids) {
        try {
            return tell(call, work, parent, slot, kind, actor, returns, ids);
        } catch (StoreFullException full) {
            return call.ray().room().waiting(full, () -> tell(call, work, parent, slot, kind, actor, returns, ids));
        }
    }

    private static int tell(TaskCaller<?> call, BatchWork work, TaskContext parent, long slot, int kind, int actor, int returns,
            byte[] ids) {
        return Native.submit(call.ray().client(), work.serial(), slot, kind, Math.max(returns, 1), call.retries(), call.cpus(),
                call.priority(), actor, caller(parent), ids, parent == null ? 0 : parent.serial(),
                parent == null ? -1 : parent.slot(), parent == null ? 0 : parent.attempt());
    }

    /** Whose order an actor keeps: a thread's, or a task's, which has nothing to do with what else ran on its thread. */
    private static long caller(TaskContext parent) {
        return parent == null
                ? Thread.currentThread().getId()
                : Long.MIN_VALUE | (long) parent.serial() << 32 ^ parent.slot();
    }

    // ---- a table that is full -------------------------------------------------------------------------------------

    /** Wakes those who wait for room: there is some, or there will never be for their client. */
    void thereIsRoom() {
        waiting.forEach(Waiter::run);
    }

    /** Nobody waits for room any more. */
    void close() {
        closed = true;
        thereIsRoom();
    }

    private int tellWhenThereIsRoom(TaskCaller<?> call, BatchWork work, TaskContext parent, long slot, int kind, int actor,
            int returns, byte[] ids, int before) {
        Waiter waiter = new Waiter(new Capacity(call));
        waiting.add(waiter);
        try {
            int flags = before;
            while (true) {
                engine.heed(flags & ~Native.FLAG_WAKE);
                if (closed) {
                    throw new RayClosedException("the store " + engine.ray().storeName() + " is closed: it runs no tasks",
                            ErrorDetails.NONE);
                }
                if ((flags & Native.FLAG_STUCK) != 0) {
                    throw tooMany(parent);
                }
                flags = tellOrWait(call, work, parent, slot, kind, actor, returns, ids);
                if ((flags & Native.FLAG_FULL) == 0) {
                    return flags;
                }
                waiter.await(parent == null ? Deadline.NEVER : Deadline.in(CHECK));
            }
        } finally {
            waiting.remove(waiter);
        }
    }

    /** What a submitter waits for. */
    private final class Capacity implements Awaited {

        private final TaskCaller<?> call;

        Capacity(TaskCaller<?> call) {
            this.call = call;
        }

        @Override
        public RayApi ray() {
            return call.ray();
        }

        @Override
        public String describe() {
            String name = call.name() == null ? FunctionNames.of(call.function()) : call.name();
            return "capacity to submit task " + name + ": " + engine.ray().config().maxPendingTasks()
                    + " tasks are pending, as many as RayConfig.maxPendingTasks allows";
        }
    }

    private TooManyTasksException tooMany(TaskContext parent) {
        return new TooManyTasksException(
                engine.ray().config().maxPendingTasks() + " tasks are pending, as many as RayConfig.maxPendingTasks allows, and"
                        + " nothing that runs could make room for those of " + (parent == null ? "this thread" : parent.name())
                        + ": get results before submitting more, or allow more", ErrorDetails.NONE);
    }
}
