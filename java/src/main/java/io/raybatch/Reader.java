package io.raybatch;

import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/** Gets objects, and waits for those that are not there yet. */
final class Reader {

    private static final int MANY = 100;
    private static final long GATHERING_NANOS = 200_000;
    /** How many missing objects are waited for at a time, in order: each round looks at all of them. */
    private static final int WINDOW = 1024;
    /** How long a getter looks for a task's result before it waits for it: what a short task takes. */
    private static final long SPIN_NANOS = 20_000;

    private final RayApi ray;

    Reader(RayApi ray) {
        this.ray = ray;
    }

    <T> T get(ObjectRef<T> ref, Deadline deadline) {
        TaskContext.checked();
        Object value = tryGet(ref, null);
        if (value == Values.ABSENT) {
            value = await(ref, deadline);
        }
        return ref.cast(value);
    }

    private Object await(ObjectRef<?> ref, Deadline deadline) {
        if (deadline.left() <= 0) {
            Object[] values = {Values.ABSENT};
            awaitAll(List.of(ref), values, null, deadline);
            return values[0];
        }
        try (Claim claim = Claim.on(ray, ref)) {
            Object value = comesSoon(ref) ? tryGet(ref, claim) : Values.ABSENT;
            if (value == Values.ABSENT) {
                Object[] values = {Values.ABSENT};
                awaitAll(List.of(ref), values, claim, deadline);
                value = values[0];
            }
            return value;
        }
    }

    <T> List<T> getAll(Collection<? extends ObjectRef<? extends T>> refs, Deadline deadline) {
        TaskContext.checked();
        List<? extends ObjectRef<? extends T>> all = List.copyOf(refs);
        Object[] values = new Object[all.size()];
        Arrays.fill(values, Values.ABSENT);
        if (!tryAll(all, values, 0, values.length, null)) {
            try (Claim claim = Claim.on(ray, missing(all, values, 0, values.length))) {
                awaitAll(all, values, claim, deadline);
            }
        }
        List<T> typed = new ArrayList<>(values.length);
        for (int i = 0; i < values.length; i++) {
            typed.add(all.get(i).cast(values[i]));
        }
        return typed;
    }

    /**
     * Gets what is there.
     *
     * @param claim of whoever asked before; or null
     * @return {@link Values#ABSENT} when it is not sealed yet, or is being reconstructed
     */
    Object tryGet(ObjectRef<?> ref, Claim claim) {
        ref.checkIsOf(ray);
        // asked first: it may be sealed right after it was looked for
        boolean wasSealed = ref.isSealed();
        Object value;
        try {
            value = Values.get(ray, ref);
        } catch (ObjectLostException gone) {
            return madeAgain(ref, gone);
        } catch (RayException gone) {
            value = claim == null ? Values.ABSENT : claim.get(ray, ref);
            if (value == Values.ABSENT) {
                throw gone;
            }
        } finally {
            Reference.reachabilityFence(ref);
        }
        if (value instanceof Failures.Failure failure) {
            // it may say that another object is lost
            throw failure.exception(ref.id(), ray.config().serializer());
        }
        if (value == Values.ABSENT && wasSealed) {
            return madeAgain(ref, lost(ref));
        }
        if (!wasSealed && value != Values.ABSENT) {
            ref.sealed();
        }
        return value;
    }

    /** Has an object made again that is lost; there is nothing of it yet then. */
    private Object madeAgain(ObjectRef<?> ref, ObjectLostException otherwise) {
        if (!ray.tasks().remake(ref.id())) {
            throw otherwise;
        }
        ref.unsealed();
        return Values.ABSENT;
    }

    private static ObjectLostException lost(ObjectRef<?> ref) {
        return new ObjectLostException(
                "object " + ref + " is lost: it was evicted to make room, or deleted; objects that must stay belong in a batch",
                ErrorDetails.of(ref.id()));
    }

    /** Looks at where a task's result will be, for a moment; true once it is there. */
    private boolean comesSoon(ObjectRef<?> ref) {
        BatchScope maker = ref.maker();
        MappedRegion region = maker == null ? null : maker.region();
        if (region == null || TaskContext.current() != null) {
            return false;
        }
        long slot = ref.task() + ref.index() - maker.life();
        long end = System.nanoTime() + SPIN_NANOS;
        do {
            for (int n = 0; n < 16; n++) {
                if (region.isSealed(slot, ref.index())) {
                    return true;
                }
                Thread.onSpinWait();
            }
            // who is to make it may be ready to run on this very processor
            Thread.yield();
        } while (System.nanoTime() - end < 0);
        return false;
    }

    /** Fills in what is missing and there; true if nothing is missing any more. */
    private boolean tryAll(List<? extends ObjectRef<?>> refs, Object[] values, int from, int to, Claim claim) {
        boolean complete = true;
        List<ObjectRef<?>> read = new ArrayList<>(0);
        for (int i = from; i < to; i++) {
            if (values[i] == Values.ABSENT) {
                values[i] = tryGet(refs.get(i), claim);
                if (values[i] == Values.ABSENT) {
                    complete = false;
                } else if (claim != null && refs.get(i).batchId() == 0) {
                    read.add(refs.get(i));
                }
            }
        }
        if (!read.isEmpty()) {
            // in normal mode what was read may be evicted: there may be no memory for all of them at once
            claim.release(read);
        }
        return complete;
    }

    private static List<ObjectRef<?>> missing(List<? extends ObjectRef<?>> refs, Object[] values, int from, int to) {
        List<ObjectRef<?>> missing = new ArrayList<>();
        for (int i = from; i < to; i++) {
            if (values[i] == Values.ABSENT) {
                missing.add(refs.get(i));
            }
        }
        return missing;
    }

    /** Waits for what is missing, a window at a time: all of it is waited for, so that the order does not matter. */
    private void awaitAll(List<? extends ObjectRef<?>> refs, Object[] values, Claim claim, Deadline deadline) {
        for (int from = 0; from < values.length; ) {
            int to = from;
            for (int missing = 0; to < values.length && missing < WINDOW; to++) {
                missing += values[to] == Values.ABSENT ? 1 : 0;
            }
            Window window = new Window(refs, values, from, to, claim);
            if (!window.refs().isEmpty()) {
                ray.tasks().want(refs.subList(from, to));
                if (!waiting(window, deadline)) {
                    throw timedOut(refs, values, claim);
                }
            }
            from = to;
        }
    }

    private GetTimeoutException timedOut(List<? extends ObjectRef<?>> refs, Object[] values, Claim claim) {
        tryAll(refs, values, 0, values.length, claim);
        List<Object> all = Arrays.asList(values);
        long missing = all.stream().filter(value -> value == Values.ABSENT).count();
        // all may have come just now, too late
        ObjectRef<?> first = refs.get(Math.max(all.indexOf(Values.ABSENT), 0));
        return new GetTimeoutException(
                "time is up: " + missing + " of " + values.length + " objects are not sealed yet, the first is " + first + ": "
                        + ray.tasks().describe(first),
                ErrorDetails.of(first.id()));
    }

    /** A wait for objects, in rounds: each first asks to be woken and then looks, so that nothing is missed in between. */
    private abstract class Rounds implements Awaited {

        /** What the round under way is to be woken for. */
        private byte[] watched;
        private int needed;
        private boolean timed;

        /** What is still missing. */
        abstract List<? extends ObjectRef<?>> refs();

        /** How many of so many missing ones it needs. */
        abstract int needed(int missing);

        /** Looks again; true when it is done. */
        abstract boolean look();

        @Override
        public RayApi ray() {
            return ray;
        }

        @Override
        public int block(long client, int serial, long slot, int attempt) {
            return Native.blockOn(client, serial, slot, attempt, watched, needed, timed);
        }

        @Override
        public String describe() {
            List<? extends ObjectRef<?>> missing = refs();
            if (missing.isEmpty()) {
                return "objects that are there now";
            }
            ObjectRef<?> first = missing.get(0);
            String what = missing.size() == 1 ? "object " + first : missing.size() + " objects, the first is " + first;
            String batch = first.batchId() == 0 ? "no batch" : "batch " + first.batchId();
            return what + " of " + batch + ": " + ray.tasks().describe(first);
        }
    }

    /** A part of what a get waits for: all of it. */
    private final class Window extends Rounds {

        private final List<? extends ObjectRef<?>> all;
        private final Object[] values;
        private final int from;
        private final int to;
        private final Claim claim;

        Window(List<? extends ObjectRef<?>> all, Object[] values, int from, int to, Claim claim) {
            this.all = all;
            this.values = values;
            this.from = from;
            this.to = to;
            this.claim = claim;
        }

        @Override
        List<? extends ObjectRef<?>> refs() {
            return missing(all, values, from, to);
        }

        @Override
        int needed(int missing) {
            return missing;
        }

        @Override
        boolean look() {
            return tryAll(all, values, from, to, claim);
        }
    }

    /** Some of several objects; they are not read. */
    private final class Some<T> extends Rounds {

        private final List<ObjectRef<T>> all;
        private final int count;
        private final boolean[] ready;

        Some(List<ObjectRef<T>> all, int count) {
            this.all = all;
            this.count = count;
            this.ready = new boolean[all.size()];
        }

        @Override
        List<ObjectRef<T>> refs() {
            return select(all, ready, false);
        }

        @Override
        int needed(int missing) {
            return count - (all.size() - missing);
        }

        @Override
        boolean look() {
            int n = 0;
            for (int i = 0; i < ready.length; i++) {
                ready[i] = ready[i] || isReady(all.get(i));
                n += ready[i] ? 1 : 0;
            }
            return n >= count;
        }

        WaitResult<T> result() {
            return new WaitResult<>(select(all, ready, true), refs());
        }
    }

    /** Looks until it is done or the time is up. */
    private boolean waiting(Rounds rounds, Deadline deadline) {
        if (deadline.left() <= 0) {
            return rounds.look();
        }
        long client = ray.client();
        Waiter waiter = new Waiter(rounds);
        long token = Wakeups.register(waiter);
        try {
            int missing;
            do {
                List<? extends ObjectRef<?>> watched = rounds.refs();
                missing = watched.size();
                rounds.watched = ObjectIds.of(watched);
                rounds.needed = rounds.needed(missing);
                rounds.timed = !deadline.isNever();
                Native.watch(client, rounds.watched, token);
                if (rounds.look()) {
                    return true;
                }
            } while (awaitSome(waiter, missing, deadline));
            return rounds.look();
        } finally {
            Wakeups.forget(token);
            unwatch(client, token);
        }
    }

    /** Waits for one; where many are missing it gives more of them the time to come, since each round looks at all. */
    private static boolean awaitSome(Waiter waiter, int missing, Deadline deadline) {
        boolean woken = waiter.await(deadline);
        if (woken && missing > MANY) {
            LockSupport.parkNanos(GATHERING_NANOS);
        }
        return woken;
    }

    static void unwatch(long client, long token) {
        try {
            Native.unwatch(client, token);
        } catch (RayClosedException forgottenAlready) {
            // the exception that ended the wait says so
        }
    }

    <T> WaitResult<T> await(Collection<ObjectRef<T>> refs, int count, Deadline deadline) {
        TaskContext.checked();
        List<ObjectRef<T>> pending = new ArrayList<>(refs);
        if (count < 0 || count > pending.size()) {
            throw new InvalidArgumentException(
                    "waiting for " + count + " of " + pending.size() + " objects: it must be 0 … " + pending.size(),
                    ErrorDetails.NONE);
        }
        pending.forEach(ref -> ref.checkIsOf(ray));
        Some<T> some = new Some<>(pending, count);
        if (!some.look()) {
            waiting(some, deadline);
        }
        return some.result();
    }

    private static <T> List<ObjectRef<T>> select(List<ObjectRef<T>> refs, boolean[] ready, boolean wanted) {
        List<ObjectRef<T>> selected = new ArrayList<>();
        for (int i = 0; i < ready.length; i++) {
            if (ready[i] == wanted) {
                selected.add(refs.get(i));
            }
        }
        return selected;
    }

    /** True if a get would answer at once, with the value or an exception. */
    private boolean isReady(ObjectRef<?> ref) {
        if (ref.isSealed()) {
            return true;
        }
        try {
            if (ray.contains(ref)) {
                return true;
            }
            Native.resolve(ray.client(), ref.batchId(), ref.task(), ref.index());
            return false;
        } catch (ObjectLostException gone) {
            return !ray.tasks().remake(ref.id());
        } catch (RayClosedException e) {
            throw e;
        } catch (RayException never) {
            return true;
        }
    }

    ObjectView view(ObjectRef<?> ref) {
        ref.checkIsOf(ray);
        boolean wasSealed = ref.isSealed();
        long[] opened = Native.read(ray.client(), ref.batchId(), ref.task(), ref.index());
        Reference.reachabilityFence(ref);
        if (opened != null) {
            return checked(new ObjectView(ray.client(), ref.id(), opened));
        }
        throw wasSealed ? lost(ref) : notThere(ref.id());
    }

    ObjectView view(ObjectId id) {
        long[] opened = Native.read(ray.client(), id.batch(), id.task(), id.index());
        if (opened == null) {
            throw notThere(id);
        }
        return checked(new ObjectView(ray.client(), id, opened));
    }

    /** What a failure says is for {@code get} to throw, and for nobody to read. */
    private ObjectView checked(ObjectView view) {
        if (view.kind() != ObjectKind.FAILURE) {
            return view;
        }
        try (view) {
            throw new Failures.Failure(view.toByteArray()).exception(view.id(), ray.config().serializer());
        }
    }

    private static ObjectNotFoundException notThere(ObjectId id) {
        return new ObjectNotFoundException(
                "object " + id + " is not sealed yet, or is not there: get waits for one that will be", ErrorDetails.of(id));
    }
}
