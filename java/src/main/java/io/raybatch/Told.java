package io.raybatch;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;

/** Asks exceptions for what they have. A user's exception may do anything when it is asked: what it does not say is left out. */
final class Told {

    private static final int MOST_CAUSES = 16;

    private Told() {}

    /** Null for none, and where the exception does not say. */
    static Throwable cause(Throwable thrown) {
        try {
            return thrown.getCause();
        } catch (RuntimeException | Error refused) {
            return null;
        }
    }

    static String message(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (RuntimeException | Error refused) {
            return null;
        }
    }

    /** Its own words; its class's name where it has none. */
    static String text(Throwable thrown) {
        try {
            String text = thrown.toString();
            return text == null ? thrown.getClass().getName() : text;
        } catch (RuntimeException | Error refused) {
            String message = message(thrown);
            return thrown.getClass().getName() + (message == null ? "" : ": " + message);
        }
    }

    static StackTraceElement[] trace(Throwable thrown) {
        try {
            StackTraceElement[] trace = thrown.getStackTrace();
            if (trace != null && List.of(trace).size() == trace.length) {
                return trace;
            }
        } catch (RuntimeException | Error refused) {
            // as if it had none
        }
        return new StackTraceElement[0];
    }

    static Throwable[] suppressed(Throwable thrown) {
        try {
            return thrown.getSuppressed();
        } catch (RuntimeException | Error refused) {
            return new Throwable[0];
        }
    }

    /** As it is printed; by its parts where printing fails. */
    static String printed(Throwable thrown) {
        try {
            StringWriter text = new StringWriter();
            thrown.printStackTrace(new PrintWriter(text));
            return text.toString();
        } catch (RuntimeException | Error refused) {
            return printedByParts(thrown);
        }
    }

    private static String printedByParts(Throwable thrown) {
        try {
            StringBuilder text = new StringBuilder();
            Throwable part = thrown;
            for (int n = 0; part != null && n < MOST_CAUSES; n++) {
                text.append(n == 0 ? "" : "Caused by: ").append(text(part)).append('\n');
                for (StackTraceElement frame : trace(part)) {
                    text.append("\tat ").append(frame).append('\n');
                }
                part = cause(part);
            }
            return text.toString();
        } catch (RuntimeException | Error refused) {
            return "";
        }
    }

    /** The exception, its causes and what they suppressed: what another has comes before it; none of them twice. */
    static List<Throwable> innermostFirst(Throwable thrown, int most) {
        List<Throwable> all = new ArrayList<>();
        gather(thrown, Collections.newSetFromMap(new IdentityHashMap<>()), all, most);
        return all;
    }

    private static void gather(Throwable thrown, Set<Throwable> seen, List<Throwable> all, int most) {
        if (thrown == null || seen.size() >= most || !seen.add(thrown)) {
            return;
        }
        gather(cause(thrown), seen, all, most);
        for (Throwable suppressed : suppressed(thrown)) {
            gather(suppressed, seen, all, most);
        }
        all.add(thrown);
    }
}
