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
        Object value = tryGet(ref);
        if (value == Values.ABSENT && deadline.left() > 0 && comesSoon(ref)) {
            value = tryGet(ref);
        }
        if (value == Values.ABSENT) {
            Object[] values = {Values.ABSENT};
            awaitAll(List.of(ref), values, deadline);
            value = values[0];
        }
        return ref.cast(value);
    }

    <T> List<T> getAll(Collection<? extends ObjectRef<? extends T>> refs, Deadline deadline) {
        TaskContext.checked();
        List<? extends ObjectRef<? extends T>> all = List.copyOf(refs);
        Object[] values = new Object[all.size()];
        Arrays.fill(values, Values.ABSENT);
        if (!tryAll(all, values, 0, values.length)) {
            awaitAll(all, values, deadline);
        }
        List<T> typed = new ArrayList<>(values.length);
        for (int i = 0; i < values.length; i++) {
            typed.add(all.get(i).cast(values[i]));
        }
        return typed;
    }

    /** {@link Values#ABSENT} when it is not sealed yet, or is being made again. */
    Object tryGet(ObjectRef<?> ref) {
        ref.checkIsOf(ray);
        // asked first: it may be sealed right after it was looked for
        boolean wasSealed = ref.isSealed();
        Object value;
        try {
            value = Values.get(ray, ref);
        } catch (ObjectLostException gone) {
            return madeAgain(ref, gone);
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
    private boolean tryAll(List<? extends ObjectRef<?>> refs, Object[] values, int from, int to) {
        boolean complete = true;
        for (int i = from; i < to; i++) {
            if (values[i] == Values.ABSENT) {
                values[i] = tryGet(refs.get(i));
                complete &= values[i] != Values.ABSENT;
            }
        }
        return complete;
    }

    /** Waits for what is missing, a window at a time: all of it is waited for, so that the order does not matter. */
    private void awaitAll(List<? extends ObjectRef<?>> refs, Object[] values, Deadline deadline) {
        for (int from = 0; from < values.length; ) {
            int to = from;
            List<ObjectRef<?>> missing = new ArrayList<>();
            for (; to < values.length && missing.size() < WINDOW; to++) {
                if (values[to] == Values.ABSENT) {
                    missing.add(refs.get(to));
                }
            }
            if (!missing.isEmpty() && !awaitWindow(refs, values, from, to, deadline)) {
                throw timedOut(refs, values);
            }
            from = to;
        }
    }

    private boolean awaitWindow(List<? extends ObjectRef<?>> refs, Object[] values, int from, int to, Deadline deadline) {
        ray.tasks().want(refs.subList(from, to));
        return waiting(
                () -> {
                    List<ObjectRef<?>> missing = new ArrayList<>();
                    for (int i = from; i < to; i++) {
                        if (values[i] == Values.ABSENT) {
                            missing.add(refs.get(i));
                        }
                    }
                    return missing;
                },
                () -> tryAll(refs, values, from, to),
                deadline);
    }

    private GetTimeoutException timedOut(List<? extends ObjectRef<?>> refs, Object[] values) {
        tryAll(refs, values, 0, values.length);
        List<Object> all = Arrays.asList(values);
        long missing = all.stream().filter(value -> value == Values.ABSENT).count();
        // all may have come just now, too late
        ObjectRef<?> first = refs.get(Math.max(all.indexOf(Values.ABSENT), 0));
        return new GetTimeoutException(
                "time is up: " + missing + " of " + values.length + " objects are not sealed yet, the first is " + first,
                ErrorDetails.of(first.id()));
    }

    /** What is still waited for. */
    private interface Missing {
        List<? extends ObjectRef<?>> refs();
    }

    /** Looks again; true when it is done. */
    private interface Attempt {
        boolean done();
    }

    /**
     * Tries until it is done or the time is up. Each round first asks to be woken and then looks, so that nothing is
     * missed in between.
     */
    private boolean waiting(Missing missing, Attempt attempt, Deadline deadline) {
        if (deadline.left() <= 0) {
            return attempt.done();
        }
        long client = ray.client();
        Waiter waiter = new Waiter();
        long token = Wakeups.register(waiter);
        try {
            List<? extends ObjectRef<?>> watched;
            do {
                watched = missing.refs();
                Native.watch(client, ObjectIds.of(watched), token);
                if (attempt.done()) {
                    return true;
                }
            } while (awaitSome(waiter, watched.size(), deadline));
            return attempt.done();
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
        boolean[] ready = new boolean[pending.size()];
        Attempt look = () -> {
            int n = 0;
            for (int i = 0; i < ready.length; i++) {
                ready[i] = ready[i] || isReady(pending.get(i));
                n += ready[i] ? 1 : 0;
            }
            return n >= count;
        };
        if (!look.done()) {
            waiting(() -> select(pending, ready, false), look, deadline);
        }
        return new WaitResult<>(select(pending, ready, true), select(pending, ready, false));
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
            byte[] payload = new byte[Math.toIntExact(view.size())];
            view.copyTo(0, payload, 0, payload.length);
            throw new Failures.Failure(payload).exception(view.id(), ray.config().serializer());
        }
    }

    private static ObjectNotFoundException notThere(ObjectId id) {
        return new ObjectNotFoundException(
                "object " + id + " is not sealed yet, or is not there: get waits for one that will be", ErrorDetails.of(id));
    }
}
