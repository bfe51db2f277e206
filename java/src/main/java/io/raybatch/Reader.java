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

    private final RayApi ray;

    Reader(RayApi ray) {
        this.ray = ray;
    }

    <T> T get(ObjectRef<T> ref, Deadline deadline) {
        Object value = tryGet(ref);
        if (value == null) {
            Object[] values = new Object[1];
            awaitAll(List.of(ref), values, deadline);
            value = values[0];
        }
        return ref.cast(value);
    }

    <T> List<T> getAll(Collection<? extends ObjectRef<? extends T>> refs, Deadline deadline) {
        List<? extends ObjectRef<? extends T>> all = List.copyOf(refs);
        Object[] values = new Object[all.size()];
        if (!tryAll(all, values)) {
            awaitAll(all, values, deadline);
        }
        List<T> typed = new ArrayList<>(values.length);
        for (int i = 0; i < values.length; i++) {
            typed.add(all.get(i).cast(values[i]));
        }
        return typed;
    }

    /** Null when it is not sealed yet. */
    private Object tryGet(ObjectRef<?> ref) {
        // asked first: it may be sealed right after it was looked for
        boolean wasSealed = ref.isSealed();
        try {
            Object value = Values.get(ray.client(), ref, ray.config().serializer());
            if (value == null && wasSealed) {
                throw lost(ref);
            }
            return value;
        } finally {
            Reference.reachabilityFence(ref);
        }
    }

    private static ObjectLostException lost(ObjectRef<?> ref) {
        return new ObjectLostException(
                "object " + ref + " is lost: it was evicted to make room, or deleted; objects that must stay belong in a batch",
                ErrorDetails.of(ref.id()));
    }

    /** Fills in what is missing and there; true if nothing is missing any more. */
    private boolean tryAll(List<? extends ObjectRef<?>> refs, Object[] values) {
        boolean complete = true;
        for (int i = 0; i < values.length; i++) {
            if (values[i] == null) {
                values[i] = tryGet(refs.get(i));
                complete &= values[i] != null;
            }
        }
        return complete;
    }

    private void awaitAll(List<? extends ObjectRef<?>> refs, Object[] values, Deadline deadline) {
        boolean complete = waiting(
                () -> {
                    List<ObjectRef<?>> missing = new ArrayList<>();
                    for (int i = 0; i < values.length; i++) {
                        if (values[i] == null) {
                            missing.add(refs.get(i));
                        }
                    }
                    return missing;
                },
                () -> tryAll(refs, values),
                deadline);
        if (!complete) {
            throw timedOut(refs, values);
        }
    }

    private static GetTimeoutException timedOut(List<? extends ObjectRef<?>> refs, Object[] values) {
        long missing = Arrays.stream(values).filter(value -> value == null).count();
        ObjectRef<?> first = refs.get(Arrays.asList(values).indexOf(null));
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

    private static void unwatch(long client, long token) {
        try {
            Native.unwatch(client, token);
        } catch (RayClosedException forgottenAlready) {
            // the exception that ended the wait says so
        }
    }

    <T> WaitResult<T> await(Collection<ObjectRef<T>> refs, int count, Deadline deadline) {
        List<ObjectRef<T>> pending = new ArrayList<>(refs);
        if (count < 0 || count > pending.size()) {
            throw new InvalidArgumentException(
                    "waiting for " + count + " of " + pending.size() + " objects: it must be 0 … " + pending.size(),
                    ErrorDetails.NONE);
        }
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
        } catch (RayClosedException e) {
            throw e;
        } catch (RayException never) {
            return true;
        }
    }

    ObjectView view(ObjectRef<?> ref) {
        boolean wasSealed = ref.isSealed();
        long[] opened = Native.read(ray.client(), ref.batchId(), ref.task(), ref.index());
        Reference.reachabilityFence(ref);
        if (opened != null) {
            return new ObjectView(ray.client(), ref.id(), opened);
        }
        throw wasSealed ? lost(ref) : notThere(ref.id());
    }

    ObjectView view(ObjectId id) {
        long[] opened = Native.read(ray.client(), id.batch(), id.task(), id.index());
        if (opened == null) {
            throw notThere(id);
        }
        return new ObjectView(ray.client(), id, opened);
    }

    private static ObjectNotFoundException notThere(ObjectId id) {
        return new ObjectNotFoundException(
                "object " + id + " is not sealed yet, or is not there: get waits for one that will be", ErrorDetails.of(id));
    }
}
