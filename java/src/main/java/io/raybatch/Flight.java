package io.raybatch;

import io.raybatch.flight.FlightEvents;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Passes what happens in a store on to Flight Recorder, while that records. What the native side does comes through its journal, which
 * is looked at now and then, and whenever a thread of Java's has ended a batch: a recording that is stopped after that has it.
 */
final class Flight {

    private static final long EACH_NANOS = 20_000_000;
    /** Records are looked at once in so many looks: a second. */
    private static final int RECORDS_EACH = 50;

    // What the journal's notes are, and how many figures each has.
    private static final int ENDED = 1;
    private static final int COLLECTED = 2;
    private static final int SPILLED = 3;
    private static final int RESTORED = 4;
    private static final int EVICTED = 5;
    private static final int FIGURES = 7;

    private static final LimitedLog LOST = new LimitedLog();
    private static final LimitedLog UNKNOWN = new LimitedLog();

    private static final Set<Flight> STORES = ConcurrentHashMap.newKeySet();

    private static volatile boolean on;

    /** Changes that were told of, and the last one that was heeded: whoever is told of one later knows more. */
    private static final AtomicLong TOLD = new AtomicLong();
    private static long heeded;

    /** Taken while stores begin and end listening, so that of a first and a last one the later comes later. */
    private static final Object LISTENING = new Object();
    /** Ends listening; null while no store is open, or there is no Flight Recorder. */
    private static Runnable unlisten;

    private final long client;
    /** 0 while nothing is recorded. Guarded by this. */
    private long journal;

    private Flight(long client) {
        this.client = client;
    }

    /** For the owner of a store, until {@link #close()}. */
    static Flight of(long client) {
        Flight flight = new Flight(client);
        synchronized (LISTENING) {
            boolean first = STORES.isEmpty();
            synchronized (Flight.class) {
                STORES.add(flight);
                if (on) {
                    flight.start();
                }
            }
            if (first) {
                listen();
            }
        }
        return flight;
    }

    /** True while anything is recorded: without that, Flight Recorder's classes must not be touched. */
    static boolean isOn() {
        return on;
    }

    /** Passes on what there is, of all stores. */
    static void pass() {
        if (on) {
            STORES.forEach(flight -> safely(flight, Flight::look));
        }
    }

    /** A failure of one store's is logged, and stops no other's, nor whoever ends a batch. */
    private static void safely(Flight flight, Consumer<Flight> step) {
        Upcalls.call("a step of Flight Recorder's events", step, flight);
    }

    /** Passes on what is left. */
    void close() {
        safely(this, Flight::stop);
        synchronized (LISTENING) {
            if (STORES.remove(this) && STORES.isEmpty()) {
                unlisten();
            }
        }
    }

    private static void listen() {
        try {
            unlisten = FlightEvents.onChange(Flight::changed);
        } catch (LinkageError notThere) {
            // a runtime without the module jdk.jfr: nothing will ever be recorded
        }
    }

    /** Flight Recorder is the JVM's: it must not refer to raybatch when no store is open. */
    private static void unlisten() {
        Runnable end = unlisten;
        unlisten = null;
        if (end != null) {
            end.run();
        }
        synchronized (Flight.class) {
            // a change that is being reported just now is older
            heeded = TOLD.incrementAndGet();
            on = false;
        }
    }

    /** Two may be told at once; with no lock held while Flight Recorder is asked, for it may hold one of its own. */
    private static void changed() {
        long change = TOLD.incrementAndGet();
        boolean recording = FlightEvents.isRecording();
        synchronized (Flight.class) {
            if (change > heeded) {
                heeded = change;
                on = recording;
                Consumer<Flight> step = recording ? Flight::start : Flight::stop;
                STORES.forEach(flight -> safely(flight, step));
            }
        }
    }

    private synchronized void start() {
        if (journal != 0) {
            return;
        }
        try {
            journal = Native.openJournal(client);
        } catch (RayClosedException over) {
            return;
        }
        long mine = journal;
        boolean started = false;
        try {
            Threads.daemon("raybatch-flight", () -> watch(mine)).start();
            started = true;
        } finally {
            if (!started) {
                journal = 0;
                Native.dropJournal(mine);
            }
        }
    }

    private synchronized void stop() {
        if (journal != 0) {
            try {
                look();
                lookAtRecords();
            } finally {
                long mine = journal;
                journal = 0;
                Native.dropJournal(mine);
            }
        }
    }

    private void watch(long mine) {
        for (int n = 1; isOpen(mine); n++) {
            safely(this, Flight::look);
            if (n % RECORDS_EACH == 0) {
                safely(this, Flight::lookAtRecords);
            }
            LockSupport.parkNanos(EACH_NANOS);
        }
    }

    private synchronized boolean isOpen(long mine) {
        return journal == mine;
    }

    private void lookAtRecords() {
        try {
            if (StoreStats.of(Native.storeStats(client)).records() > 0) {
                MemoryReport report = MemoryReport.of(Native.storeName(client), Native.memory(client), id -> Optional.empty());
                FlightEvents.records(report.store(), report.records().bytes(), named(report.records().actors()),
                        named(report.records().batches()));
            }
        } catch (RayClosedException over) {
            // and its records with it
        }
    }

    private static String named(List<MemoryReport.HeldFor> all) {
        return all.stream().map(it -> it.name() + ": " + it.bytes()).collect(Collectors.joining(", "));
    }

    private synchronized void look() {
        while (journal != 0) {
            Object[] notes = Native.journal(journal);
            long[] figures = (long[]) notes[0];
            String[] words = (String[]) notes[1];
            if (figures[0] > 0) {
                LOST.warn(() -> figures[0] + " events of a store are not in the recording: more came than could be passed on", null);
            }
            for (int n = 0; n < words.length / 2; n++) {
                pass(figures, 1 + n * FIGURES, words[2 * n], words[2 * n + 1]);
            }
            if (words.length == 0) {
                return;
            }
        }
    }

    private static void pass(long[] f, int at, String name, String by) {
        long batch = f[at + 1];
        long objects = f[at + 3];
        long bytes = f[at + 4];
        long took = f[at + 5];
        long when = f[at + 6];
        switch ((int) f[at]) {
            case ENDED -> FlightEvents.ended(when, batch, name, EndReason.of(f[at + 2]).toString(), by);
            case COLLECTED -> FlightEvents.collected(when, batch, name, objects, bytes, took);
            case SPILLED -> FlightEvents.spilled(when, batch, name, bytes, took);
            case RESTORED -> FlightEvents.restored(when, batch, objects, bytes);
            case EVICTED -> FlightEvents.evicted(when, objects, bytes);
            default -> UNKNOWN.warn(() -> "the journal has a note that is unknown here: " + f[at], null);
        }
    }
}
