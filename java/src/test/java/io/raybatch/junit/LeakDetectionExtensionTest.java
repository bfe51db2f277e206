package io.raybatch.junit;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.testkit.engine.EventConditions.event;
import static org.junit.platform.testkit.engine.EventConditions.finishedSuccessfully;
import static org.junit.platform.testkit.engine.EventConditions.finishedWithFailure;
import static org.junit.platform.testkit.engine.EventConditions.test;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.instanceOf;
import static org.junit.platform.testkit.engine.TestExecutionResultConditions.message;

import io.raybatch.Batch;
import io.raybatch.BatchOptions;
import io.raybatch.RayApi;
import io.raybatch.RayConfig;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Events;

class LeakDetectionExtensionTest {

    @Test
    void a_test_that_leaks_fails_and_says_where_and_others_pass() {
        Events tests = EngineTestKit.engine("junit-jupiter").selectors(selectClass(Users.class)).execute().testEvents();
        tests.assertStatistics(statistics -> statistics.started(4).succeeded(3).failed(1));
        tests.assertThatEvents()
                .haveExactly(1, event(test("leaks"), finishedWithFailure(
                        instanceOf(AssertionError.class),
                        message(text -> text.contains("1 leaked") && text.contains("the leak") && text.contains("Users.leaks")))))
                .haveExactly(1, event(test("closes"), finishedSuccessfully()))
                .haveExactly(1, event(test("leavesOpenWhatIsStillReachable"), finishedSuccessfully()))
                .haveExactly(1, event(test("usesAnIdOfItsOwn"), finishedSuccessfully()));
    }

    @Test
    void the_stricter_mode_fails_on_each_batch_that_is_open() {
        Events tests = EngineTestKit.engine("junit-jupiter").selectors(selectClass(Strict.class)).execute().testEvents();
        tests.assertStatistics(statistics -> statistics.started(3).succeeded(1).failed(2));
        tests.assertThatEvents()
                .haveExactly(1, event(test("leavesOpen"), finishedWithFailure(
                        instanceOf(AssertionError.class), message(text -> text.contains("1 left open") && text.contains("held")))))
                .haveExactly(1, event(test("usesAnIdOfItsOwn"), finishedWithFailure(
                        instanceOf(AssertionError.class), message(text -> text.contains("batch 7")))));
    }

    /** As {@link Users}, in the stricter mode. */
    static class Strict {

        @RegisterExtension
        static final LeakDetectionExtension LEAKS = LeakDetectionExtension.noneOpen();

        private static final RayApi RAY = RayApi.open(RayConfig.builder().storeSize("8m").build());
        private static Batch held;

        @AfterAll
        static void close() {
            RAY.close();
        }

        @Test
        void closes() {
            RAY.startBatch().close();
        }

        @Test
        void leavesOpen() {
            held = RAY.startBatch(BatchOptions.builder().root().name("held").build());
            held.put(1);
        }

        @Test
        void usesAnIdOfItsOwn() {
            RAY.startBatch(7).put(1);
        }
    }

    /** A user's tests. Their class has no name that a scan of the class path looks for. */
    @ExtendWith(LeakDetectionExtension.class)
    static class Users {

        private static RayApi ray;
        private static Batch held;

        @BeforeAll
        static void open() {
            ray = RayApi.open(RayConfig.builder().storeSize("8m").build());
        }

        @AfterAll
        static void close() {
            ray.close();
        }

        @Test
        void closes() {
            try (Batch b = ray.startBatch()) {
                b.put(1);
            }
        }

        @Test
        void leaks() {
            ray.startBatch(BatchOptions.named("the leak")).put(1);
        }

        @Test
        void leavesOpenWhatIsStillReachable() {
            held = ray.startBatch();
            held.put(1);
        }

        @Test
        void usesAnIdOfItsOwn() {
            ray.startBatch(7).put(1);
        }
    }
}
