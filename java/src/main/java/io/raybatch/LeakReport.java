package io.raybatch;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * A batch that became unreachable and was not ended, or was ended and not collected. It is collected by now, unless a thread still works in
 * it without a handle: then it is collected when that thread starts its next batch, or ends.
 *
 * @param batchId its id
 * @param name its name; empty if it had none
 * @param thread the thread that started it
 * @param age from its start to the report
 * @param objects live objects when it was found
 * @param bytes their payload
 * @param level how much was recorded
 * @param startedAt a stack trace of where it was started, from {@link LeakLevel#ADVANCED} on
 * @param reachable true for a batch that was only to be closed by now, see {@link LeakDetector.Recording#stopWithNoneOpen}
 * @param uses stack traces of the last uses of its handle, oldest first, with {@link LeakLevel#PARANOID}
 */
public record LeakReport(
        long batchId,
        String name,
        String thread,
        Duration age,
        long objects,
        long bytes,
        LeakLevel level,
        boolean reachable,
        Optional<Throwable> startedAt,
        List<Throwable> uses) {

    /** Where traces are taken: the same for all. */
    private static final Set<String> OWN = Set.of(LeakTracker.class.getName(), BatchScope.class.getName());

    /** {@return all of it as text, with what to do and which property shows more} */
    public String message() {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        out.printf(
                "LEAK: batch %d%s was started by thread \"%s\" %.1f s ago and %s; it held %d"
                        + " objects of %d bytes. Close it: try (Batch b = ray.startBatch()) { ... }.",
                batchId, name.isEmpty() ? "" : " (" + name + ")", thread, age.toMillis() / 1e3,
                reachable ? "is open still" : "is unreachable, but was not closed", objects, bytes);
        if (level.compareTo(LeakLevel.ADVANCED) < 0) {
            out.print(" To see where it was started: -Draybatch.leakDetection=advanced");
        } else if (level.compareTo(LeakLevel.PARANOID) < 0) {
            out.print(" To see where it was used last: -Draybatch.leakDetection=paranoid");
        }
        out.println();
        startedAt.ifPresent(trace -> print(out, trace));
        uses.forEach(trace -> print(out, trace));
        return text.toString().stripTrailing();
    }

    private static void print(PrintWriter out, Throwable trace) {
        out.println(trace.getMessage());
        for (StackTraceElement frame : trace.getStackTrace()) {
            if (!OWN.contains(frame.getClassName())) {
                out.println("    at " + frame);
            }
        }
    }
}
