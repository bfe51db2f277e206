package io.raybatch;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Runs one piece of work after the other, for one worker: gets the arguments, calls, stores results, reports. */
final class TaskRun {

    /** In place of a time: the thread was given up. */
    static final long ABANDONED = Long.MIN_VALUE;

    /** Results of more bytes are stored by themselves. */
    private static final int SMALL = 4096;
    private static final byte[] NOTHING = {};
    private static final byte[] FUNCTION_GONE = internal("its function is gone");
    private static final byte[] NO_MEMORY = internal("there was no memory to tell what came of it");
    private static final byte[] BROKEN_OFF = internal("the thread that ran it failed; the log says why");

    private final EmbeddedEngine engine;
    private final TaskContext context;
    private final Report report;
    private final Thread thread;
    /** What of the thread a task may have changed. */
    private final String threadName;
    private final int threadPriority;
    private final Outcome outcome = new Outcome();

    /** The client of what runs now. */
    private RayApi ray;
    private BatchWork lastWork;
    /** Where the piece stands that is begun and not reported; -1 when there is none. */
    private int begun = -1;

    /** @param thread which runs it */
    TaskRun(EmbeddedEngine engine, TaskContext context, Report report, Thread thread) {
        this.thread = thread;
        this.threadName = thread.getName();
        this.threadPriority = thread.getPriority();
        this.engine = engine;
        this.context = context;
        this.report = report;
    }

    /** What is to be reported. */
    private static final class Outcome {
        private int status;
        private int kind;
        private byte[] payload;
        private int offset;
        private int length;

        void set(int status, int kind, byte[] payload, int offset, int length) {
            this.status = status;
            this.kind = kind;
            this.payload = payload;
            this.offset = offset;
            this.length = length;
        }

        void set(int status) {
            set(status, 0, NOTHING, 0, 0);
        }

        void nothing() {
            set(Native.VALUE, Native.KIND_NULL, NOTHING, 0, 0);
        }

        void failed(int status, byte[] payload) {
            set(status, Native.KIND_FAILURE, payload, 0, payload.length);
        }
    }

    /** An argument's bytes are gone. */
    private static final class ArgumentLost extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final transient ObjectId id;

        ArgumentLost(ObjectId id) {
            super(null, null, false, false);
            this.id = id;
        }
    }

    /** An argument is a failure. */
    private static final class ArgumentFailed extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final transient byte[] payload;

        ArgumentFailed(byte[] payload) {
            super(null, null, false, false);
            this.payload = payload;
        }
    }

    private static byte[] internal(String what) {
        byte[] utf8 = what.getBytes(StandardCharsets.UTF_8);
        byte[] payload = new byte[1 + utf8.length];
        payload[0] = Failures.INTERNAL;
        System.arraycopy(utf8, 0, payload, 1, utf8.length);
        return payload;
    }

    /**
     * Runs a piece.
     *
     * @param start now
     * @return when it was over; {@link #ABANDONED}
     */
    long piece(long[] pieces, int at, long start) {
        int serial = (int) pieces[at];
        long slot = pieces[at + 1];
        int attempt = (int) pieces[at + 2];
        begun = at;
        BatchWork work = serial == 0 ? null : workOf(serial);
        Object entry = work == null ? null : work.functions().get(slot);
        if (serial != 0 && entry == null) {
            // its batch went while it was on its way
            report(serial, slot, attempt, FUNCTION_GONE, start);
            return start;
        }
        RayApi client = work == null || work.ray().isClosed() ? engine.ray() : work.ray();
        if (ray != null && ray != client) {
            ray.current().endTask();
        }
        ray = client;
        BatchScope scope = work == null ? null : work.scope();
        ray.current().beginTask(scope);
        context.begin(work, scope, entry, serial, slot, attempt, start);
        // whoever cancels it notes that first and looks for it here then
        if (engine.orders().isDoomed(serial, slot, attempt)) {
            return passedOver(serial, slot, attempt, start);
        }
        try {
            perform((int) (pieces[at + 2] >>> 32), work, entry, pieces, at);
        } catch (Throwable thrown) {
            failed(thrown);
        }
        restoreThread();
        if (context.isCancelled()) {
            outcome.set(Native.OVER);
        }
        if (!context.end()) {
            return ABANDONED;
        }
        // one that came late, or that the task left behind
        Thread.interrupted();
        long end = System.nanoTime();
        try {
            told(report.add(serial, slot, attempt, outcome.status, outcome.kind, outcome.payload, outcome.offset, outcome.length,
                    end - start, end));
        } catch (OutOfMemoryError tooLarge) {
            report(serial, slot, attempt, NO_MEMORY, end);
        }
        outcome.set(0);
        return end;
    }

    /** A piece failed for the reason given. */
    private void report(int serial, long slot, int attempt, byte[] why, long now) {
        told(report.add(serial, slot, attempt, Native.FAILED_FINALLY, Native.KIND_FAILURE, why, 0, why.length, 0, now));
    }

    private void told(int flags) {
        begun = -1;
        engine.heed(flags);
    }

    /**
     * The worker fails, and with it the piece that it was about.
     *
     * @return false if the thread was given up
     */
    boolean breakOff(long[] pieces) {
        if (begun < 0) {
            return true;
        }
        int at = begun;
        boolean own = context.end();
        if (own) {
            report((int) pieces[at], pieces[at + 1], (int) pieces[at + 2], BROKEN_OFF, System.nanoTime());
        }
        return own;
    }

    /** What a task changed of its thread is not for the next one. Its class loader is set for each. */
    private void restoreThread() {
        if (!thread.getName().equals(threadName)) {
            thread.setName(threadName);
        }
        if (thread.getPriority() != threadPriority) {
            thread.setPriority(threadPriority);
        }
    }

    /** Lets go of what ran last, for as long as nothing runs. */
    void forget() {
        if (ray != null) {
            ray.current().endTask();
        }
        ray = null;
        lastWork = null;
        Thread.currentThread().setContextClassLoader(TaskRun.class.getClassLoader());
    }

    /** It was cancelled before it was begun. */
    private long passedOver(int serial, long slot, int attempt, long now) {
        if (!context.end()) {
            return ABANDONED;
        }
        Thread.interrupted();
        told(report.add(serial, slot, attempt, Native.NOT_BEGUN, 0, now));
        return now;
    }

    private BatchWork workOf(int serial) {
        if (lastWork == null || lastWork.serial() != serial) {
            lastWork = engine.work(serial);
        }
        return lastWork;
    }

    private void perform(int kind, BatchWork work, Object entry, long[] pieces, int at) throws Exception {
        int actor = (int) pieces[at + 3];
        int instance = (int) (pieces[at + 3] >>> 32);
        boolean aliased = (pieces[at + 4] & Native.PIECE_ALIASED) != 0;
        boolean discard = (pieces[at + 4] & Native.PIECE_DISCARD) != 0;
        switch (kind) {
            case Native.RUN -> keep(call(work, entry, aliased, null), entry, discard);
            case Native.RUN_ON_ACTOR -> keep(call(work, entry, aliased, instanceOf(actor, instance)), entry, discard);
            case Native.CONSTRUCT -> {
                engine.instances().created(actor, new Instances.Creation(ray, entry));
                if (context.isCancelled()) {
                    // it is dead, and who carried that out may have been here before
                    engine.instances().forget(actor);
                    throw context.cancelled();
                }
                Object object = constructed(call(work, entry, aliased, null), entry);
                Native.actorMade(engine.client(), actor, object instanceof Checkpointable);
                made(actor, instance, object);
            }
            case Native.RESTORE -> made(actor, instance, restored(actor));
            case Native.SAVE -> save(instanceOf(actor, instance), actor);
            default -> throw new IllegalStateException("a piece of work of kind " + kind);
        }
    }

    private Object instanceOf(int actor, int instance) {
        Object object = engine.instances().get(actor, instance);
        if (object == null) {
            throw new IllegalStateException("instance " + instance + " of actor " + actor + " is not here");
        }
        return object;
    }

    // ---- calling --------------------------------------------------------------------------------------------------

    /**
     * Calls what an entry says.
     *
     * @param work of the batch where most arguments lie, or null
     * @param on the actor's instance, or null
     */
    private Object call(BatchWork work, Object entry, boolean aliased, Object on) throws Exception {
        if (!(entry instanceof StoredCall call)) {
            lendLoaderOf(entry);
            return Invocation.of(entry, on == null ? Calls.NONE : new Object[] {on});
        }
        // its arguments are of classes that it knows
        lendLoaderOf(call.function());
        byte[] ids = aliased ? Native.arguments(engine.client(), context.serial(), context.slot(), context.attempt()) : null;
        Object[] stored = call.arguments();
        int first = on == null ? 0 : 1;
        Object[] arguments = stored.length + first == 0 ? Calls.NONE : new Object[stored.length + first];
        if (on != null) {
            arguments[0] = on;
        }
        resolve(work, stored, ids, 0, arguments, first);
        Object result = Invocation.of(call.function(), arguments);
        call.release();
        return result;
    }

    /**
     * Fills in what arguments, or the elements of one, stand for.
     *
     * @param ids under which the call's references are to be read, or null for their own
     * @param references how many of the call's come before these
     * @return how many there are then
     */
    private int resolve(BatchWork work, Object[] stored, byte[] ids, int references, Object[] out, int first) {
        int count = references;
        for (int n = 0; n < stored.length; n++) {
            Object argument = stored[n];
            if (argument instanceof StoredCall.Argument ref) {
                argument = ids == null ? read(work, ref) : read(work, ObjectId.at(ids, count * ObjectId.BYTES));
                count++;
            } else if (argument instanceof StoredCall.Copy copy) {
                argument = Values.of(ray, copy.kind(), copy.array(), copy.id());
                count++;
            } else if (argument instanceof StoredCall.ListOf list) {
                Object[] values = new Object[list.elements().length];
                count = resolve(work, list.elements(), ids, count, values, 0);
                argument = new ArrayList<>(Arrays.asList(values));
            } else if (argument instanceof StoredCall.Actor actor) {
                argument = actor.handle();
            }
            out[first + n] = argument;
        }
        return count;
    }

    private Serializer serializer() {
        return ray.config().serializer();
    }

    /** What the function loads by the thread's class loader is found where the function comes from, whatever ran before it. */
    private static void lendLoaderOf(Object function) {
        ClassLoader loader = function.getClass().getClassLoader();
        Thread thread = Thread.currentThread();
        if (thread.getContextClassLoader() != loader) {
            thread.setContextClassLoader(loader);
        }
    }

    private Object read(BatchWork work, StoredCall.Argument ref) {
        return read(work, ref.batch(), ref.task(), ref.index());
    }

    private Object read(BatchWork work, ObjectId id) {
        return read(work, id.batch(), id.task(), id.index());
    }

    private Object read(BatchWork work, long batch, long task, int index) {
        Object value;
        try {
            MappedRegion region = work != null && batch == work.batch() ? work.region() : null;
            long base = region == null ? 0 : work.life();
            value = Values.get(ray, region, base, batch, task, index);
        } catch (ObjectLostException lost) {
            value = Values.ABSENT;
        }
        if (value == Values.ABSENT) {
            throw new ArgumentLost(new ObjectId(batch, task, index));
        }
        if (value instanceof Failures.Failure failure) {
            throw new ArgumentFailed(Failures.ofArgument(new ObjectId(batch, task, index), failure.payload()));
        }
        return value;
    }

    // ---- actors ---------------------------------------------------------------------------------------------------

    private static Object constructed(Object instance, Object entry) {
        if (instance == null) {
            throw new IllegalStateException(StoredCall.nameOf(entry) + " returned null, which is no actor");
        }
        return instance;
    }

    private void made(int actor, int instance, Object object) {
        engine.instances().set(actor, instance, object);
        if (context.isCancelled()) {
            // the order to drop it may have come before it was there
            engine.instances().drop(actor, instance);
        }
        outcome.nothing();
    }

    /** Constructs it as at first, and has it take its last checkpoint over. */
    @SuppressWarnings("unchecked")
    private Object restored(int actor) throws Exception {
        Instances.Creation creation = engine.instances().creation(actor);
        if (creation == null) {
            throw new IllegalStateException("how actor " + actor + " is constructed is not known here");
        }
        byte[] checkpoint = Native.arguments(engine.client(), context.serial(), context.slot(), context.attempt());
        ray = creation.ray();
        Object instance = constructed(call(null, creation.entry(), false, null), creation.entry());
        ((Checkpointable<Object>) instance).restore(read(null, ObjectId.of(checkpoint)));
        return instance;
    }

    private void save(Object instance, int actor) throws Exception {
        if (!(instance instanceof Checkpointable<?> saved)) {
            InvalidArgumentException refused = new InvalidArgumentException(
                    "actor " + actor + ", a " + instance.getClass().getTypeName()
                            + ", cannot be saved: it does not implement Checkpointable", ErrorDetails.NONE);
            outcome.failed(Native.NOT_CHECKPOINTABLE, Thrown.payload(
                    "checkpoint of actor " + actor, threadName, refused, serializer()));
            return;
        }
        lendLoaderOf(instance);
        Values.Encoded e = Values.encodeAsBytes(saved.save(), serializer());
        outcome.set(Native.VALUE, e.kind(), (byte[]) e.array(), e.offset(), e.length());
    }

    // ---- what came of it ------------------------------------------------------------------------------------------

    private void keep(Object result, Object entry, boolean discard) {
        int returns = StoredCall.returnsOf(entry);
        if (discard) {
            outcome.set(Native.STORED);
        } else if (returns != Engine.AS_IT_IS) {
            keepAll(elements(result, returns));
        } else if (result == null) {
            outcome.nothing();
        } else {
            Values.Encoded e = Values.encode(result, serializer());
            // with others it is stored by who reports it, and cannot wait for room there
            if (e.length() <= SMALL && e.array() instanceof byte[] bytes && !engine.ray().room().isShort()) {
                outcome.set(Native.VALUE, e.kind(), bytes, e.offset(), e.length());
            } else {
                store(0, e);
                outcome.set(Native.STORED);
            }
        }
    }

    private void keepAll(List<?> results) {
        int n = 0;
        for (Object result : results) {
            store(n++, Values.encode(result, serializer()));
        }
        outcome.set(Native.STORED);
    }

    private void store(int index, Values.Encoded e) {
        try {
            storeAs(index, e);
        } catch (StoreFullException full) {
            engine.ray().room().waiting(full, () -> storeAs(index, e));
        }
    }

    private void storeAs(int index, Values.Encoded e) {
        Native.putResult(engine.client(), context.serial(), context.slot(), context.attempt(), index, e.array(), e.offset(),
                e.length(), e.kind());
    }

    private List<?> elements(Object result, int returns) {
        List<?> all = Elements.of(result);
        if (all == null || all.size() != returns) {
            String what = result == null ? "null"
                    : all == null ? "a " + result.getClass().getTypeName() : all.size() + " elements";
            throw new InvalidArgumentException(
                    "task " + context.name() + " was submitted for " + returns + " results, and returned " + what
                            + ": it must return a List, or an array of any type, of exactly so many", ErrorDetails.NONE);
        }
        return all;
    }

    private void failed(Throwable thrown) {
        if (thrown instanceof ArgumentLost lost) {
            outcome.set(Native.ARGUMENT_LOST, 0, lost.id.toBytes(), 0, ObjectId.BYTES);
        } else if (thrown instanceof ArgumentFailed argument) {
            outcome.failed(Native.FAILED_FINALLY, argument.payload);
        } else {
            byte[] payload = Thrown.payload(context.name(), threadName, thrown, serializer());
            if (Thrown.isOfFullStore(thrown) && context.work() != null) {
                // there may be no space for it, either
                engine.spareFailures().remember(context.work().batch(), context.work().life() + context.slot(), payload);
            }
            outcome.failed(Native.FAILED, payload);
        }
    }
}
