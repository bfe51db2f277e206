package io.raybatch.flight;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.FlightRecorder;
import jdk.jfr.FlightRecorderListener;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.Recording;
import jdk.jfr.RecordingState;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;
import jdk.jfr.Timestamp;

/**
 * Flight Recorder's events of raybatch, all in the category <em>raybatch</em>.
 *
 * <table>
 * <caption>Events</caption>
 * <tr><th>name</th><th>when</th><th>committed by</th></tr>
 * <tr><td>{@code raybatch.BatchStart}</td><td>a batch was started</td><td>the thread that starts it, with its stack</td></tr>
 * <tr><td>{@code raybatch.BatchEnd}</td><td>a batch ended, whoever ended it, and why</td><td>a thread of raybatch's</td></tr>
 * <tr><td>{@code raybatch.BatchCollect}</td><td>what a batch owned was released</td><td>a thread of raybatch's</td></tr>
 * <tr><td>{@code raybatch.Spill}</td><td>a batch's bytes went to its file</td><td>a thread of raybatch's</td></tr>
 * <tr><td>{@code raybatch.Restore}</td><td>bytes came back from a file</td><td>a thread of raybatch's</td></tr>
 * <tr><td>{@code raybatch.Eviction}</td><td>objects of normal mode were evicted</td><td>a thread of raybatch's</td></tr>
 * <tr><td>{@code raybatch.Stall}</td><td>somebody waited for room in a full store</td><td>the thread that waited, with its stack</td></tr>
 * <tr><td>{@code raybatch.Records}</td><td>each second in which there are records of tasks, and at the end: how much they take, and for
 *     which actors and batches</td><td>a thread of raybatch's</td></tr>
 * <tr><td>{@code raybatch.Leak}</td><td>a batch that nobody could reach any more was found</td><td>a thread of raybatch's</td></tr>
 * </table>
 *
 * <p>Those of "a thread of raybatch's" are passed on from the native side some milliseconds later, or when a thread ends a batch:
 * their field {@code at} says when it happened. Batch 0 stands for objects of no batch.
 */
public final class FlightEvents {

    private FlightEvents() {}

    /**
     * Has somebody told that what is recorded may have changed: at once if anything is recorded, and with each change.
     *
     * @param told looks at {@link #isRecording()}
     * @return ends that; Flight Recorder refers to {@code told} until then
     */
    public static Runnable onChange(Runnable told) {
        FlightRecorderListener listener = new FlightRecorderListener() {
            @Override
            public void recordingStateChanged(Recording recording) {
                told.run();
            }
        };
        FlightRecorder.addListener(listener);
        if (FlightRecorder.isInitialized()) {
            told.run();
        }
        return () -> FlightRecorder.removeListener(listener);
    }

    /** {@return true while a recording goes on} */
    public static boolean isRecording() {
        return FlightRecorder.getFlightRecorder().getRecordings().stream().anyMatch(r -> r.getState() == RecordingState.RUNNING);
    }

    // ---- what happened --------------------------------------------------------------------------------------------

    /**
     * A batch was started, by the calling thread.
     *
     * @param batch its id
     * @param name its name; may be null
     * @param parent the batch it is in
     * @param group the path of the group it was started in; null if none was given
     */
    public static void started(long batch, String name, long parent, String group) {
        BatchStart event = new BatchStart();
        if (event.shouldCommit()) {
            event.batch = batch;
            event.name = name;
            event.parent = parent;
            event.group = group;
            event.commit();
        }
    }

    /**
     * A batch ended.
     *
     * @param at when, in epoch milliseconds
     * @param batch its id
     * @param name its name; may be null
     * @param reason why
     * @param by who ended it
     */
    public static void ended(long at, long batch, String name, String reason, String by) {
        BatchEnd event = new BatchEnd();
        if (event.shouldCommit()) {
            event.at = at;
            event.batch = batch;
            event.name = name;
            event.reason = reason;
            event.by = by;
            event.commit();
        }
    }

    /**
     * A batch was collected.
     *
     * @param at when, in epoch milliseconds
     * @param batch its id
     * @param name its name; may be null
     * @param objects released with it, without those of batches within it
     * @param bytes their payload
     * @param took how long that took, in nanoseconds
     */
    public static void collected(long at, long batch, String name, long objects, long bytes, long took) {
        BatchCollect event = new BatchCollect();
        if (event.shouldCommit()) {
            event.at = at;
            event.batch = batch;
            event.name = name;
            event.objects = objects;
            event.bytes = bytes;
            event.took = took;
            event.commit();
        }
    }

    /**
     * A batch's bytes went to a file.
     *
     * @param at when, in epoch milliseconds
     * @param batch its id
     * @param name its name; may be null
     * @param bytes of memory that went back
     * @param took how long that took, in nanoseconds
     */
    public static void spilled(long at, long batch, String name, long bytes, long took) {
        Spill event = new Spill();
        if (event.shouldCommit()) {
            event.at = at;
            event.batch = batch;
            event.name = name;
            event.bytes = bytes;
            event.took = took;
            event.commit();
        }
    }

    /**
     * Objects came back from a file.
     *
     * @param at when, in epoch milliseconds
     * @param batch their batch
     * @param objects how many
     * @param bytes their payload
     */
    public static void restored(long at, long batch, long objects, long bytes) {
        Restore event = new Restore();
        if (event.shouldCommit()) {
            event.at = at;
            event.batch = batch;
            event.objects = objects;
            event.bytes = bytes;
            event.commit();
        }
    }

    /**
     * Objects were evicted.
     *
     * @param at when, in epoch milliseconds
     * @param objects how many
     * @param bytes their payload
     */
    public static void evicted(long at, long objects, long bytes) {
        Eviction event = new Eviction();
        if (event.shouldCommit()) {
            event.at = at;
            event.objects = objects;
            event.bytes = bytes;
            event.commit();
        }
    }

    /**
     * A batch was found that nobody could reach any more.
     *
     * @param batch its id
     * @param name its name; may be empty
     * @param thread the thread that started it
     * @param ageMillis from its start on
     * @param objects live ones when it was found
     * @param bytes their payload
     */
    public static void leaked(long batch, String name, String thread, long ageMillis, long objects, long bytes) {
        Leak event = new Leak();
        if (event.shouldCommit()) {
            event.batch = batch;
            event.name = name;
            event.startedBy = thread;
            event.age = ageMillis;
            event.objects = objects;
            event.bytes = bytes;
            event.commit();
        }
    }

    /**
     * There are records of tasks.
     *
     * @param store its name
     * @param bytes of all
     * @param actors for which most are held, with bytes
     * @param batches for which most are held, with bytes
     */
    public static void records(String store, long bytes, String actors, String batches) {
        Records event = new Records();
        if (event.shouldCommit()) {
            event.store = store;
            event.bytes = bytes;
            event.actors = actors;
            event.batches = batches;
            event.commit();
        }
    }

    /** {@return a wait for room that begins now} */
    public static Waiting waiting() {
        Waiting waiting = new Waiting();
        waiting.event.begin();
        return waiting;
    }

    /** Somebody waits for room. */
    public static final class Waiting {

        private final Stall event = new Stall();

        private Waiting() {}

        /**
         * It is over.
         *
         * @param batch whose memory it was to be; 0 if that is not known
         * @param bytes that were needed
         * @param roomMade whether there was room in the end
         */
        public void over(long batch, long bytes, boolean roomMade) {
            event.end();
            if (event.shouldCommit()) {
                event.batch = batch;
                event.bytes = bytes;
                event.roomMade = roomMade;
                event.commit();
            }
        }
    }

    // ---- as they are recorded -------------------------------------------------------------------------------------

    @Name("raybatch.BatchStart")
    @Label("Batch Start")
    @Category("raybatch")
    @Description("A batch was started")
    private static final class BatchStart extends Event {
        @Label("Batch")
        private long batch;
        @Label("Name")
        private String name;
        @Label("Parent")
        private long parent;
        @Label("Group")
        private String group;
    }

    @Name("raybatch.BatchEnd")
    @Label("Batch End")
    @Category("raybatch")
    @Description("A batch ended")
    @StackTrace(false)
    private static final class BatchEnd extends Event {
        @Label("At")
        @Timestamp(Timestamp.MILLISECONDS_SINCE_EPOCH)
        private long at;
        @Label("Batch")
        private long batch;
        @Label("Name")
        private String name;
        @Label("Reason")
        private String reason;
        @Label("Ended By")
        private String by;
    }

    @Name("raybatch.BatchCollect")
    @Label("Batch Collection")
    @Category("raybatch")
    @Description("All that a batch owned was released")
    @StackTrace(false)
    private static final class BatchCollect extends Event {
        @Label("At")
        @Timestamp(Timestamp.MILLISECONDS_SINCE_EPOCH)
        private long at;
        @Label("Batch")
        private long batch;
        @Label("Name")
        private String name;
        @Label("Objects")
        private long objects;
        @Label("Bytes")
        @DataAmount
        private long bytes;
        @Label("Took")
        @Timespan(Timespan.NANOSECONDS)
        private long took;
    }

    @Name("raybatch.Spill")
    @Label("Spill")
    @Category("raybatch")
    @Description("A batch's bytes went to its file")
    @StackTrace(false)
    private static final class Spill extends Event {
        @Label("At")
        @Timestamp(Timestamp.MILLISECONDS_SINCE_EPOCH)
        private long at;
        @Label("Batch")
        private long batch;
        @Label("Name")
        private String name;
        @Label("Bytes")
        @DataAmount
        private long bytes;
        @Label("Took")
        @Timespan(Timespan.NANOSECONDS)
        private long took;
    }

    @Name("raybatch.Restore")
    @Label("Restore")
    @Category("raybatch")
    @Description("Objects came back from a file")
    @StackTrace(false)
    private static final class Restore extends Event {
        @Label("At")
        @Timestamp(Timestamp.MILLISECONDS_SINCE_EPOCH)
        private long at;
        @Label("Batch")
        private long batch;
        @Label("Objects")
        private long objects;
        @Label("Bytes")
        @DataAmount
        private long bytes;
    }

    @Name("raybatch.Eviction")
    @Label("Eviction")
    @Category("raybatch")
    @Description("Objects of normal mode were evicted, since space was short or somebody asked")
    @StackTrace(false)
    private static final class Eviction extends Event {
        @Label("At")
        @Timestamp(Timestamp.MILLISECONDS_SINCE_EPOCH)
        private long at;
        @Label("Batch")
        private long batch;
        @Label("Objects")
        private long objects;
        @Label("Bytes")
        @DataAmount
        private long bytes;
    }

    @Name("raybatch.Stall")
    @Label("Stall")
    @Category("raybatch")
    @Description("Somebody waited until a full store had spilled")
    private static final class Stall extends Event {
        @Label("Batch")
        private long batch;
        @Label("Bytes Needed")
        @DataAmount
        private long bytes;
        @Label("Room Was Made")
        private boolean roomMade;
    }

    @Name("raybatch.Leak")
    @Label("Batch Leak")
    @Category("raybatch")
    @Description("A batch that nobody could reach any more was found, and collected")
    @StackTrace(false)
    private static final class Leak extends Event {
        @Label("Batch")
        private long batch;
        @Label("Name")
        private String name;
        @Label("Started By")
        private String startedBy;
        @Label("Age")
        @Timespan(Timespan.MILLISECONDS)
        private long age;
        @Label("Objects")
        private long objects;
        @Label("Bytes")
        @DataAmount
        private long bytes;
    }

    @Name("raybatch.Records")
    @Label("Task Records")
    @Category("raybatch")
    @Description("Records of tasks in a store, and the actors and batches for which most are held")
    @StackTrace(false)
    private static final class Records extends Event {
        @Label("Store")
        private String store;
        @Label("Bytes")
        @DataAmount
        private long bytes;
        @Label("Held for Actors")
        private String actors;
        @Label("Held for Batches")
        private String batches;
    }
}
