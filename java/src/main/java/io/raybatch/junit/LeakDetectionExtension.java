package io.raybatch.junit;

import io.raybatch.LeakDetector;
import io.raybatch.LeakReport;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/**
 * Fails a JUnit 5 test that leaks a batch: starts one, during the test, that is not closed and is unreachable when the test is over,
 * also one that ran tasks, and one that is current in a live thread of a pool.
 *
 * <pre>
 * &#64;ExtendWith(LeakDetectionExtension.class)
 * class MyTest { ... }
 * </pre>
 *
 * <p>In the stricter mode a test fails on each batch that was started in it and is open when it is over, reachable or not, batches with
 * ids of the caller's included:
 *
 * <pre>
 * &#64;RegisterExtension
 * static final LeakDetectionExtension LEAKS = LeakDetectionExtension.noneOpen();
 * </pre>
 *
 * <p>The failure shows where the batch was started, whatever the leak level. Tests that leave no batch open cost nothing more;
 * one that does costs up to a second of collections of Java's heap. With tests in parallel a leak is put down to each
 * that was running when the batch was started.
 */
@SuppressWarnings("exports") // of JUnit's types: who uses this class has JUnit
public final class LeakDetectionExtension implements BeforeEachCallback, AfterEachCallback {

    private static final Namespace NAMESPACE = Namespace.create(LeakDetectionExtension.class);

    private final boolean noneOpen;

    /** Called by JUnit. */
    public LeakDetectionExtension() {
        this(false);
    }

    private LeakDetectionExtension(boolean noneOpen) {
        this.noneOpen = noneOpen;
    }

    /** {@return one that demands that no batch is open after a test that was started in it} */
    public static LeakDetectionExtension noneOpen() {
        return new LeakDetectionExtension(true);
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        context.getStore(NAMESPACE).put(LeakDetector.Recording.class, LeakDetector.record());
    }

    @Override
    public void afterEach(ExtensionContext context) {
        LeakDetector.Recording recording =
                context.getStore(NAMESPACE).remove(LeakDetector.Recording.class, LeakDetector.Recording.class);
        List<LeakReport> leaks = noneOpen ? recording.stopWithNoneOpen() : recording.stop();
        if (!leaks.isEmpty()) {
            throw new AssertionError(leaks.stream()
                    .map(LeakReport::message)
                    .collect(Collectors.joining("\n", leaks.size() + (noneOpen ? " left open:\n" : " leaked:\n"), "")));
        }
    }
}
