package io.raybatch;

import java.lang.ref.WeakReference;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;

/**
 * The current batches of one thread, for one client; the top one is current. Only that thread changes it, until the thread has
 * ended.
 *
 * <p>Entries hold a batch that ends when it is unreachable only weakly, by its key and its leak tracker: so a {@code close()} that a
 * pool's thread forgot is found. {@link Batch#wrap} and the engine's workers put a <em>barrier</em> on the stack, which holds its
 * batch and hides what is below.
 */
final class BatchStack {

    /** A batch that was started with an id of the caller's, as the stacks of one client share it. */
    static final class ById {

        final long id;
        final long life;
        /** Entries of stacks. */
        final AtomicInteger entries = new AtomicInteger();
        /** True once the batch was ended by its id, on any thread: its entries count no more. */
        private volatile boolean ended;

        ById(long id, long life) {
            this.id = id;
            this.life = life;
        }

        void ended() {
            ended = true;
        }
    }

    /** One entry. */
    private static final class Node {

        /** 0 for normal mode. */
        final long id;
        final long life;
        final String name;
        /** The scope of a barrier, and of a batch that does not end when it is unreachable; null otherwise. */
        final BatchScope held;
        /** The scope where it is not held; replaced where work without a handle goes on in a leaked batch. */
        WeakReference<BatchScope> weak;
        final LeakTracker tracker;
        final ById byId;
        final boolean barrier;
        Node below;

        Node(BatchScope scope, ById byId, boolean barrier, Node below) {
            this.id = scope == null ? 0 : scope.id();
            this.life = scope == null ? 0 : scope.life();
            this.name = scope == null ? null : scope.name();
            this.tracker = scope == null || barrier ? null : scope.tracker();
            this.held = tracker == null ? scope : null;
            this.weak = tracker == null ? null : scope.weak();
            this.byId = byId;
            this.barrier = barrier;
            this.below = below;
        }

        boolean isOver() {
            return byId != null && byId.ended || tracker != null && tracker.isEndedAsLeak();
        }

        /** True for a batch that ends when it is unreachable, and is. */
        boolean isLeaked() {
            return tracker != null && (tracker.isUnreachable() || weak.get() == null);
        }

        boolean is(long id, long life) {
            return this.id == id && id != 0 && (life == 0 || this.life == life);
        }
    }

    private final RayApi ray;
    private final CurrentBatch all;
    private Node top;

    BatchStack(RayApi ray, CurrentBatch all) {
        this.ray = ray;
        this.all = all;
    }

    /** {@return the scope of the top entry, ended or not; null in normal mode} */
    BatchScope current() {
        while (top != null && top.isOver()) {
            pop();
        }
        Node node = top;
        if (node == null || node.tracker == null) {
            return node == null ? null : node.held;
        }
        BatchScope scope = node.weak.get();
        if (scope == null) {
            // leaked, and not ended yet: work without a handle still belongs to it
            scope = BatchScope.heldById(ray, node.id, node.life, node.name, null, null);
            node.weak = new WeakReference<>(scope);
        }
        return scope;
    }

    /** Makes a batch current. {@code byId}: null for one without an id of the caller's. */
    void push(BatchScope scope, ById byId) {
        top = new Node(scope, byId, false, top);
        if (top.tracker != null) {
            top.tracker.stacked();
        }
        if (byId != null) {
            byId.entries.incrementAndGet();
        }
    }

    /**
     * Hides what is there, with a batch, or normal mode, on top.
     *
     * @return for {@link #leave}
     */
    Object enter(BatchScope scope) {
        top = new Node(scope, null, true, top);
        return top;
    }

    /** Removes a barrier, and what was left above it. */
    void leave(Object barrier) {
        while (top != null && top != barrier) {
            pop();
        }
        if (top != null) {
            pop();
        }
    }

    /** True if a barrier with that scope, or with normal mode, is all there is. */
    boolean isOnly(BatchScope scope) {
        return top == null ? scope == null : top.below == null && top.barrier && top.held == scope;
    }

    /** Normal mode is current, down to the nearest barrier. */
    void clear() {
        while (top != null && !top.barrier) {
            pop();
        }
        if (top != null && top.id != 0) {
            top = new Node(null, null, false, top);
        }
    }

    /** Removes everything. */
    void clearAll() {
        while (top != null) {
            pop();
        }
    }

    private void pop() {
        Node node = top;
        top = node.below;
        removed(node);
    }

    private void removed(Node node) {
        if (node.tracker != null) {
            node.tracker.unstacked();
        }
        if (node.byId != null && node.byId.entries.decrementAndGet() == 0) {
            all.forget(node.byId);
        }
    }

    /** Makes a batch current by removing what is above it; false if it is not on the stack, down to the nearest barrier. */
    boolean popTo(long id) {
        for (Node node = top; node != null; node = node.below) {
            if (node.is(id, 0) && !node.isOver()) {
                while (top != node) {
                    pop();
                }
                return true;
            }
            if (node.barrier) {
                return false;
            }
        }
        return false;
    }

    /** Removes the entries of a batch, wherever they are. */
    void remove(long id, long life) {
        removeIf(node -> node.is(id, life));
    }

    /** Removes, and thereby ends, what is leaked; returns at once. */
    void endLeaked() {
        if (top != null) {
            removeIf(Node::isLeaked);
        }
    }

    /** Removes batches with ids of the caller's that have ended, for whatever reason, from the top. */
    void dropEndedById() {
        while (top != null && top.byId != null && (top.isOver() || !isOpen(top))) {
            top.byId.ended();
            pop();
        }
    }

    /** Removes the top entry if it is of that batch, and the batch was started with an id of the caller's. */
    boolean dropById(BatchScope scope) {
        if (top == null || top.byId == null || !top.is(scope.id(), scope.life())) {
            return false;
        }
        top.byId.ended();
        pop();
        return true;
    }

    private boolean isOpen(Node node) {
        try {
            return ray.status(node.id, node.life).state().isOpen();
        } catch (BatchNotFoundException forgotten) {
            return false;
        }
    }

    private void removeIf(Predicate<Node> which) {
        Node above = null;
        for (Node node = top; node != null; node = node.below) {
            if (node.barrier || !which.test(node)) {
                above = node;
                continue;
            }
            if (above == null) {
                top = node.below;
            } else {
                above.below = node.below;
            }
            removed(node);
        }
    }
}
