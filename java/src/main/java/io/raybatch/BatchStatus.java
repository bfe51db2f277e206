package io.raybatch;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/**
 * One batch at one moment, live or remembered.
 *
 * @param id its id
 * @param name as given; empty if none was
 * @param state where in its life it is
 * @param reason why it ended; empty while it is open
 * @param objects live objects
 * @param bytes their payload
 * @param held bytes of the pages that it holds
 * @param peakBytes the most payload it ever had
 * @param pins readers' holds
 * @param started when it was started
 * @param ended when it was ended
 * @param collected when it was collected
 * @param parent the batch around it; 0 for the root
 * @param children the live batches directly in it
 * @param priority as given
 * @param timeout as given
 * @param maxBytes as given
 * @param maxObjects as given
 * @param kept objects it gave to others
 * @param adopted objects others gave to it
 * @param noCleanup as given
 * @param maxTasks as given
 * @param checkpointActors as given
 * @param spilled of {@code bytes}, those that lie in a spill file
 * @param startedBy the thread that started it
 * @param endedBy the caller that ended it
 * @param endedWith the outer batch whose end ended it; 0 for the root, which ends with its client; empty for a batch that ended by itself
 * @param tasks its tasks by state
 * @param abandonedThreads the threads that went on with a task of it after that was cancelled, and were given up
 * @param group the path of the {@link ResourceGroup} it is in; empty for none
 * @param recordsHeld why the records of its tasks stand although it is collected; empty if they do not
 */
public record BatchStatus(
        long id,
        String name,
        BatchState state,
        Optional<EndReason> reason,
        long objects,
        long bytes,
        long held,
        long peakBytes,
        long pins,
        Instant started,
        Optional<Instant> ended,
        Optional<Instant> collected,
        long parent,
        List<Long> children,
        int priority,
        Optional<Duration> timeout,
        OptionalLong maxBytes,
        OptionalLong maxObjects,
        long kept,
        long adopted,
        boolean noCleanup,
        OptionalLong maxTasks,
        boolean checkpointActors,
        long spilled,
        String startedBy,
        Optional<String> endedBy,
        OptionalLong endedWith,
        TaskCounts tasks,
        List<String> abandonedThreads,
        String group,
        List<RecordsHeld> recordsHeld) {

    /** From {@link Native#status}, without its tasks. */
    static BatchStatus of(long id, long root, Object[] parts) {
        return of(id, root, parts, null);
    }

    /** From {@link Native#status} and {@link Native#taskStatus}, which is null where there were no tasks. */
    static BatchStatus of(long id, long root, Object[] parts, Object[] tasks) {
        long[] f = (long[]) parts[0];
        String[] texts = (String[]) parts[1];
        BatchState state = BatchState.of(f[1]);
        return new BatchStatus(
                id,
                texts[0] == null ? "" : texts[0],
                state,
                state.isOpen() ? Optional.empty() : Optional.of(EndReason.of(f[2])),
                f[3],
                f[4],
                f[5],
                f[6],
                f[7],
                Instant.ofEpochMilli(f[8]),
                time(f[9]),
                time(f[10]),
                f[11] == root ? 0 : f[11],
                LongStream.of((long[]) parts[2]).boxed().toList(),
                Math.toIntExact(f[12]),
                f[13] == 0 ? Optional.empty() : Optional.of(Duration.ofMillis(f[13])),
                limit(f[14]),
                limit(f[15]),
                f[16],
                f[17],
                (f[18] & 1) != 0,
                limit(f[19]),
                (f[18] & 2) != 0,
                f[20],
                texts[1] == null ? "" : texts[1],
                Optional.ofNullable(texts[2]),
                f[21] == 0 ? OptionalLong.empty() : OptionalLong.of(f[21] == root ? 0 : f[21]),
                tasks == null ? TaskCounts.NONE : counts((long[]) tasks[0]),
                tasks == null ? List.of() : List.of((String[]) tasks[1]),
                texts[3] == null ? "" : texts[3],
                tasks == null ? List.of() : held((long[]) tasks[2], (String[]) tasks[3]));
    }

    private static TaskCounts counts(long[] n) {
        return new TaskCounts(n[0], n[1], n[2], n[3], n[4], n[5]);
    }

    private static List<RecordsHeld> held(long[] figures, String[] actors) {
        List<RecordsHeld> all = new ArrayList<>(actors.length);
        for (int n = 0; n < actors.length; n++) {
            all.add(RecordsHeld.of(figures, n * RecordsHeld.FIGURES, actors[n]));
        }
        return List.copyOf(all);
    }

    private static Optional<Instant> time(long millis) {
        return millis == 0 ? Optional.empty() : Optional.of(Instant.ofEpochMilli(millis));
    }

    private static OptionalLong limit(long n) {
        return n == 0 ? OptionalLong.empty() : OptionalLong.of(n);
    }
}
