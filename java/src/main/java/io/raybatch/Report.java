package io.raybatch;

import java.util.Arrays;

/**
 * What a worker has to tell the table, gathered while it has more to do. Anybody may send it: the worker itself, and the watch
 * when the next piece takes long.
 */
final class Report {

    private static final int MOST = Bulk.MOST;
    private static final int USUAL = 4096;
    private static final byte[] NOTHING = {};

    private static final LimitedLog UNTOLD = new LimitedLog();
    private static final LimitedLog UNTOLD_ONE = new LimitedLog();
    private static final LimitedLog LOST = new LimitedLog();

    private final EmbeddedEngine engine;
    private final long[] outcomes = new long[MOST * Native.OUTCOME];
    private byte[] blob = new byte[USUAL];
    private int count;
    private int length;
    /** When the first of them was added. */
    private long since;

    Report(EmbeddedEngine engine) {
        this.engine = engine;
    }

    /** Adds a piece that ended without anything to tell. */
    int add(int serial, long slot, int attempt, int status, long nanos, long now) {
        return add(serial, slot, attempt, status, 0, NOTHING, 0, 0, nanos, now);
    }

    /**
     * Adds how a piece ended.
     *
     * @return flags of what had to be sent before
     */
    synchronized int add(int serial, long slot, int attempt, int status, int kind, byte[] payload, int offset, int size,
            long nanos, long now) {
        int flags = count == MOST || count > 0 && size > USUAL ? send() : 0;
        if (count == 0) {
            since = now;
        }
        if (size > blob.length - length) {
            blob = Arrays.copyOf(blob, Math.max(length + size, 2 * blob.length));
        }
        System.arraycopy(payload, offset, blob, length, size);
        length += size;
        int at = count * Native.OUTCOME;
        outcomes[at] = serial;
        outcomes[at + 1] = slot;
        outcomes[at + 2] = attempt & 0xffff_ffffL | (long) status << 32;
        outcomes[at + 3] = (long) kind << 32 | size;
        outcomes[at + 4] = nanos;
        count++;
        return flags;
    }

    /**
     * Adds pieces that were not begun.
     *
     * @return flags of what had to be sent before
     */
    synchronized int addUnbegun(long[] pieces, int pieceCount) {
        int flags = 0;
        for (int n = 0; n < pieceCount; n++) {
            int at = n * Native.PIECE;
            flags |= add((int) pieces[at], pieces[at + 1], (int) pieces[at + 2], Native.NOT_BEGUN, 0, System.nanoTime());
        }
        return flags;
    }

    synchronized boolean isEmpty() {
        return count == 0;
    }

    /** True if something has been waiting that long, for its worker: whoever sends it meanwhile makes that needless. */
    boolean isOlderThan(long nanos, long now) {
        return count > 0 && now - since >= nanos;
    }

    /**
     * Tells the table all there is. What it cannot take fails: an outcome that gets lost would have its task run for ever.
     *
     * @return flags
     * @throws RayClosedException when there is nobody left to tell
     */
    synchronized int send() {
        if (count == 0) {
            return 0;
        }
        int n = count;
        int bytes = length;
        count = 0;
        length = 0;
        try {
            return Native.complete(engine.client(), outcomes, n, blob, bytes);
        } catch (RayClosedException closed) {
            throw closed;
        } catch (RuntimeException | Error e) {
            UNTOLD.error(() -> "the outcomes of " + n + " pieces of work could not be told at once", e);
            return sendSingly(n);
        } finally {
            if (blob.length > 16 * USUAL) {
                blob = new byte[USUAL];
            }
        }
    }

    /** One by one: what the table has heard already it knows by the attempt. */
    private int sendSingly(int n) {
        int flags = 0;
        int from = 0;
        for (int k = 0; k < n; k++) {
            long[] one = Arrays.copyOfRange(outcomes, k * Native.OUTCOME, (k + 1) * Native.OUTCOME);
            int size = (int) one[3];
            flags |= sendOne(one, from, size);
            from += size;
        }
        return flags;
    }

    private int sendOne(long[] one, int from, int size) {
        try {
            return Native.complete(engine.client(), one, 1, Arrays.copyOfRange(blob, from, from + size), size);
        } catch (RayClosedException closed) {
            throw closed;
        } catch (RuntimeException | Error e) {
            UNTOLD_ONE.error(() -> "what came of the task in slot " + one[1] + " of table " + one[0] + " could not be told: it fails", e);
        }
        one[2] = one[2] & 0xffff_ffffL | (long) Native.FAILED_FINALLY << 32;
        one[3] = (long) Native.KIND_FAILURE << 32;
        try {
            return Native.complete(engine.client(), one, 1, NOTHING, 0);
        } catch (RayClosedException closed) {
            throw closed;
        } catch (RuntimeException | Error e) {
            LOST.error(() -> "nor could that: it runs for ever, unless it is cancelled", e);
            return 0;
        }
    }
}
