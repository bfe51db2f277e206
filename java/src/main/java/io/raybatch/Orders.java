package io.raybatch;

import java.lang.ref.WeakReference;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** What the table has decided and Java is to do: whoever is told that there are orders carries them out, one at a time. */
final class Orders {

    /** A piece of work that was taken and is not to be begun any more. */
    private record Piece(int serial, long slot, int attempt) {

        // Written out, here as in ObjectId: those that the compiler leaves to the JDK keep the class loader of the record that was
        // compared last reachable from a cache of the JDK's.

        @Override
        public boolean equals(Object other) {
            return other instanceof Piece piece && serial == piece.serial && slot == piece.slot && attempt == piece.attempt;
        }

        @Override
        public int hashCode() {
            return (31 * serial + Long.hashCode(slot)) * 31 + attempt;
        }
    }

    /** After so long nobody is about to take a piece any more: if no worker has it then, it was over when it was cancelled. */
    private static final long FORGET_NANOS = 10_000_000_000L;

    private final EmbeddedEngine engine;
    private final long token;
    /** How often somebody asked since they were last carried out; more than 0 while somebody does. */
    private final AtomicInteger asked = new AtomicInteger();
    /** What is not to be begun: a worker has it, or is just about to. */
    private final Set<Piece> doomed = ConcurrentHashMap.newKeySet();

    Orders(EmbeddedEngine engine) {
        this.engine = engine;
        this.token = wakeup(new WeakReference<>(this));
        Cleaners.register(this, forget(token));
    }

    /** The native side must not be called back from within its call. Weak: it is not to keep a store's owner reachable. */
    private static long wakeup(WeakReference<Orders> orders) {
        return Wakeups.register(() -> {
            Orders there = orders.get();
            if (there != null) {
                Background.own(there::look);
            }
        });
    }

    private static Runnable forget(long token) {
        return () -> Wakeups.forget(token);
    }

    /** Woken when there are orders, or there is work, that nobody was told of. */
    long token() {
        return token;
    }

    void close() {
        Wakeups.forget(token);
    }

    /** True for a piece that was cancelled before it was begun; once. */
    boolean isDoomed(int serial, long slot, int attempt) {
        return !doomed.isEmpty() && doomed.remove(new Piece(serial, slot, attempt));
    }

    /** There are orders, or there is work, that nobody was told of who asked. */
    private void look() {
        engine.pool().wake();
        carryOut();
    }

    /** Carries out what there is, or leaves it to who is about it. */
    void carryOut() {
        if (asked.getAndIncrement() != 0) {
            return;
        }
        int seen;
        do {
            seen = asked.get();
            try {
                for (long[] orders = next(); orders != null; orders = next()) {
                    for (int at = 0; at < orders.length; at += Native.ORDER) {
                        carryOut((int) orders[at], orders[at + 1], orders[at + 2], orders[at + 3]);
                    }
                }
            } catch (RayClosedException over) {
                // there is nobody left to obey
            } catch (RuntimeException | Error e) {
                RayLog.error("an order of the table could not be carried out", e);
            }
        } while (asked.addAndGet(-seen) != 0);
    }

    private long[] next() {
        long[] orders = Native.orders(engine.client());
        return orders == null || orders.length == 0 ? null : orders;
    }

    private void carryOut(int what, long which, long where, long attempt) {
        switch (what) {
            case Native.ORDER_INTERRUPT -> interrupt((int) which, where, (int) attempt);
            case Native.ORDER_DROP_BATCH -> engine.drop((int) which);
            case Native.ORDER_DROP_INSTANCE -> engine.instances().drop((int) which, (int) where);
            case Native.ORDER_WORKERS -> engine.pool().wake();
            case Native.ORDER_ROOM -> engine.submitter().thereIsRoom();
            case Native.ORDER_DROP_SLOTS -> {
                BatchWork work = engine.work((int) which);
                if (work != null) {
                    work.functions().clear(where, (int) attempt);
                }
            }
            case Native.ORDER_DROP_ACTOR -> engine.instances().forget((int) which);
            default -> RayLog.warn("an order of the table that is unknown here: " + what, null);
        }
    }

    private void interrupt(int serial, long slot, int attempt) {
        if (interruptRunning(serial, slot, attempt)) {
            return;
        }
        // a worker has it, or got it just now, or gives it to another: whoever begins it sees this
        Piece piece = new Piece(serial, slot, attempt);
        doomed.add(piece);
        // it may have been begun just now
        if (interruptRunning(serial, slot, attempt)) {
            doomed.remove(piece);
        } else {
            engine.watch().later(() -> forget(piece), FORGET_NANOS);
        }
    }

    /** It may still lie where a worker is busy with another one. */
    private void forget(Piece piece) {
        for (Worker worker : engine.pool().workers()) {
            if (worker.bulk().has(piece.serial(), piece.slot(), piece.attempt())) {
                engine.watch().later(() -> forget(piece), FORGET_NANOS);
                return;
            }
        }
        doomed.remove(piece);
    }

    private boolean interruptRunning(int serial, long slot, int attempt) {
        for (Worker worker : engine.pool().workers()) {
            long run = worker.context().cancel(serial, slot, attempt);
            if (run >= 0) {
                engine.watch().giveUpLater(worker, run);
                return true;
            }
        }
        return false;
    }
}
