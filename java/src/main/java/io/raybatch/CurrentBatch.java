package io.raybatch;

import java.lang.ref.Cleaner;
import java.lang.ref.WeakReference;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/**
 * Which batch is current in which thread, for one client: a {@link BatchStack} per thread.
 *
 * <p>Not inherited by threads that a thread starts: a pool's thread is started by the first caller and lives on, and would go on
 * putting into a batch that has nothing to do with its later work. {@link Batch#wrap} takes a batch along.
 *
 * <p>A thread holds no class of raybatch: its value is a weak reference, and the client holds the stacks. So a thread that outlives
 * the client keeps neither it nor its class loader reachable.
 */
final class CurrentBatch {

    private final RayApi ray;
    private final ThreadLocal<WeakReference<BatchStack>> here = new ThreadLocal<>();
    /** The stacks of threads that have not ended, each with what is to be done when its thread has. */
    private final ConcurrentMap<BatchStack, Cleaner.Cleanable> stacks = new ConcurrentHashMap<>();
    /** What {@link #stacks} has, for what closes a client that is unreachable: refers to no client. */
    private final Set<Cleaner.Cleanable> watched = ConcurrentHashMap.newKeySet();
    /** id → the batch that was started with it and not ended by it since */
    private final ConcurrentMap<Long, BatchStack.ById> byId = new ConcurrentHashMap<>();
    private volatile boolean closed;

    CurrentBatch(RayApi ray) {
        this.ray = ray;
    }

    /** {@return the current batch, ended or not; null in normal mode} */
    BatchScope get() {
        BatchStack stack = stackIfAny();
        return stack == null ? null : stack.current();
    }

    private BatchStack stackIfAny() {
        WeakReference<BatchStack> held = here.get();
        return held == null ? null : held.get();
    }

    private BatchStack stack() {
        BatchStack stack = stackIfAny();
        return stack != null ? stack : newStack();
    }

    private BatchStack newStack() {
        BatchStack stack = new BatchStack(ray, this);
        WeakReference<BatchStack> held = new WeakReference<>(stack);
        here.set(held);
        if (!closed) {
            // only the thread refers to what it holds, which is therefore unreachable once the thread has ended
            Cleaner.Cleanable cleanable =
                    Cleaners.register(held, new ThreadEnd(new WeakReference<>(this), new WeakReference<>(stack)));
            stacks.put(stack, cleanable);
            watched.add(cleanable);
            if (closed) {
                forgetStacks();
            }
        }
        return stack;
    }

    /** What is done when a thread has ended. Does not keep the client reachable, which may be closed for being unreachable. */
    private record ThreadEnd(WeakReference<CurrentBatch> of, WeakReference<BatchStack> stack) implements Runnable {

        /** On the Cleaner's thread, which must not wait. */
        @Override
        public void run() {
            CurrentBatch all = of.get();
            BatchStack left = stack.get();
            Cleaner.Cleanable cleanable = all == null || left == null ? null : all.stacks.remove(left);
            if (cleanable != null) {
                all.watched.remove(cleanable);
                Background.own(left::clearAll);
            }
        }
    }

    /** What is leaked is ended, before a batch is started in this thread. */
    void beforeStart(boolean withId) {
        BatchStack stack = stackIfAny();
        if (stack != null) {
            stack.endLeaked();
            if (withId) {
                stack.dropEndedById();
            }
        }
    }

    /** Makes a batch current that was just started. */
    void started(BatchScope scope, boolean withId) {
        BatchStack.ById named = null;
        if (withId) {
            named = new BatchStack.ById(scope.id(), scope.life());
            BatchStack.ById earlier = byId.put(scope.id(), named);
            if (earlier != null) {
                earlier.ended();
            }
        }
        stack().push(scope, named);
    }

    /** Makes a batch current that is on this thread's stack, by removing what is above it; false if it is not there. */
    boolean popTo(long id) {
        BatchStack stack = stackIfAny();
        return stack != null && stack.popTo(id);
    }

    /** Makes a batch current that was started elsewhere. */
    void set(BatchScope scope) {
        BatchStack.ById named = byId.get(scope.id());
        if (named == null && !scope.isTracked()) {
            // another client started it by its id
            named = byId.computeIfAbsent(scope.id(), id -> new BatchStack.ById(id, scope.life()));
        }
        BatchStack.ById shared = named != null && named.life == scope.life() ? named : null;
        stack().push(scope, shared);
        if (shared != null) {
            // the last entry may have been removed meanwhile, and this with it
            byId.putIfAbsent(shared.id, shared);
        }
    }

    /** Normal mode is current. */
    void clear() {
        BatchStack stack = stackIfAny();
        if (stack != null) {
            stack.clear();
        }
    }

    /** A handle was closed in this thread. */
    void closed(BatchScope scope) {
        BatchStack stack = stackIfAny();
        if (stack != null) {
            stack.remove(scope.id(), scope.life());
        }
        if (!scope.isTracked()) {
            endedById(scope.id(), scope.life());
        }
    }

    /** A batch was ended by its id: no thread has it as its current one any more if it was started with that. */
    void endedById(long id, long life) {
        BatchStack.ById named = byId.get(id);
        if (named != null && (life == 0 || life == named.life) && byId.remove(id, named)) {
            named.ended();
        }
    }

    /** The current batch was ended by another client: if it was started by its id, the one below it is current again. */
    boolean drop(BatchScope scope) {
        BatchStack stack = stackIfAny();
        return stack != null && stack.dropById(scope);
    }

    /** No stack has an entry of it. */
    void forget(BatchStack.ById named) {
        byId.remove(named.id, named);
    }

    /** Runs a caller's code with a batch as its current one, and nothing else. */
    <V> V with(BatchScope scope, Callable<V> work) throws Exception {
        BatchStack stack = stack();
        Object barrier = stack.enter(scope);
        try {
            return work.call();
        } finally {
            stack.leave(barrier);
        }
    }

    /** As {@link #with(BatchScope, Callable)}, for code without a result. */
    void with(BatchScope scope, Runnable work) {
        BatchStack stack = stack();
        Object barrier = stack.enter(scope);
        try {
            work.run();
        } finally {
            stack.leave(barrier);
        }
    }

    /** In a worker: a task of that batch, or of normal mode, begins. */
    void beginTask(BatchScope scope) {
        BatchStack stack = stackIfAny();
        if (stack == null ? scope == null : stack.isOnly(scope)) {
            return;
        }
        if (stack == null) {
            stack = stack();
        }
        stack.clearAll();
        if (scope != null) {
            stack.enter(scope);
        }
    }

    /** In a worker: nothing runs for this client any more. */
    void endTask() {
        BatchStack stack = stackIfAny();
        if (stack != null) {
            stack.clearAll();
        }
    }

    /** {@return what watches for threads to end, to be cleaned where the client is closed because it is unreachable} */
    Set<Cleaner.Cleanable> watched() {
        return watched;
    }

    /** The client is closed, and all its batches with it. */
    void close() {
        closed = true;
        here.remove();
        forgetStacks();
        byId.clear();
    }

    private void forgetStacks() {
        for (BatchStack stack : stacks.keySet()) {
            Cleaner.Cleanable cleanable = stacks.remove(stack);
            if (cleanable != null) {
                watched.remove(cleanable);
                // its action finds that the stack was removed
                cleanable.clean();
            }
        }
    }
}
