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
 * Fails a JUnit 5 test that leaks a batch: starts one, during the test, that is not closed and that nobody can reach
 * when the test is over.
 *
 * <pre>
 * &#64;ExtendWith(LeakDetectionExtension.class)
 * class MyTest { ... }
 * </pre>
 *
 * <p>The failure shows where the batch was started, whatever the leak level. Tests that leak nothing cost nothing more;
 * one that leaves batches open costs a collection of Java's heap. With tests in parallel a leak is put down to each
 * that was running when the batch was started.
 */
@SuppressWarnings("exports") // of JUnit's types: who uses this class has JUnit
public final class LeakDetectionExtension implements BeforeEachCallback, AfterEachCallback {

    private static final Namespace NAMESPACE = Namespace.create(LeakDetectionExtension.class);

    /** Called by JUnit. */
    public LeakDetectionExtension() {}

    @Override
    public void beforeEach(ExtensionContext context) {
        context.getStore(NAMESPACE).put(LeakDetector.Recording.class, LeakDetector.record());
    }

    @Override
    public void afterEach(ExtensionContext context) {
        LeakDetector.Recording recording =
                context.getStore(NAMESPACE).remove(LeakDetector.Recording.class, LeakDetector.Recording.class);
        List<LeakReport> leaks = recording.stop();
        if (!leaks.isEmpty()) {
            throw new AssertionError(leaks.stream()
                    .map(LeakReport::message)
                    .collect(Collectors.joining("\n", leaks.size() + " leaked:\n", "")));
        }
    }
}
