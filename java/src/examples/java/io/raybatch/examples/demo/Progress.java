package io.raybatch.examples.demo;

import java.io.PrintStream;
import java.util.Locale;

/** How far a run is: a bar that is drawn over on a terminal, and a line of it at every tenth elsewhere. */
final class Progress implements Run.Listener {

    private static final int WIDTH = 30;
    private static final long REDRAW_NANOS = 100_000_000;

    private final PrintStream out;
    private final boolean terminal;
    private final String what;
    private final int total;
    private final long began = System.nanoTime();
    private long drawn = began - REDRAW_NANOS;
    private int tenths;

    Progress(PrintStream out, boolean terminal, String what, int total) {
        this.out = out;
        this.terminal = terminal;
        this.what = what;
        this.total = total;
    }

    @Override
    public void served(int requests, double millis, long rebuilt) {
        long now = System.nanoTime();
        boolean last = requests == total;
        int tenth = (int) (10L * requests / total);
        if (terminal && (last || now - drawn >= REDRAW_NANOS)) {
            drawn = now;
            out.print("\r" + line(requests, rebuilt, now) + (last ? "   \n" : "   "));
            out.flush();
        } else if (!terminal && tenth > tenths) {
            tenths = tenth;
            out.println(line(requests, rebuilt, now));
            out.flush();
        }
    }

    private String line(int requests, long rebuilt, long now) {
        int done = (int) ((long) WIDTH * requests / total);
        String bar = "#".repeat(done) + ".".repeat(WIDTH - done);
        return String.format(Locale.ROOT, "%-5s [%s] %3d %%  %d/%d requests, %.1f s, A rebuilt %,d", what, bar,
                100L * requests / total, requests, total, (now - began) / 1e9, rebuilt);
    }
}
