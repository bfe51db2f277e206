package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import io.raybatch.log.RecordingProvider;
import io.raybatch.log.RecordingProvider.Entry;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.slf4j.event.Level;

class RayLogTest extends StoreTest {

    @Test
    void what_the_native_side_logs_reaches_slf4j_when_it_is_there() {
        BatchOptions options = BatchOptions.builder().name("logged").timeout(Duration.ofMillis(1)).build();
        try (Batch b = ray.startBatch(options)) {
            Entry entry = eventually(e -> e.message().contains("logged") && e.message().contains("timed out"));
            assertThat(entry.logger()).isEqualTo("io.raybatch.native.batch.housekeeping");
            assertThat(entry.level()).isEqualTo(Level.INFO);
            assertThat(b.status().reason()).contains(EndReason.TIMED_OUT);
        }
    }

    @Test
    void a_rust_module_becomes_a_logger_and_a_message_is_no_pattern() {
        RayLog.fromNative(RayLog.WARN, "raybatch::store::arena", "{} as it is");
        Entry entry = eventually(e -> e.message().equals("{} as it is"));
        assertThat(entry.logger()).isEqualTo("io.raybatch.native.store.arena");
        assertThat(entry.level()).isEqualTo(Level.WARN);
        RayLog.fromNative(RayLog.ERROR, "mio::poll", "of a library");
        assertThat(eventually(e -> e.message().equals("of a library")).logger()).isEqualTo("io.raybatch.native.mio.poll");
        RayLog.fromNative(RayLog.ERROR, "raybatch", "of the crate");
        assertThat(eventually(e -> e.message().equals("of the crate")).logger()).isEqualTo("io.raybatch.native");
    }

    @Test
    void only_what_somebody_listens_to_is_sent_over() {
        assertThat(RayLog.nativeLevel()).isEqualTo(RayLog.INFO);
    }

    private static Entry eventually(Predicate<Entry> which) {
        long until = System.nanoTime() + SOON.toNanos();
        while (System.nanoTime() < until) {
            Optional<Entry> found = RecordingProvider.LOGGED.stream().filter(which).findFirst();
            if (found.isPresent()) {
                return found.get();
            }
            sleep(Duration.ofMillis(5));
        }
        throw new AssertionError("not logged");
    }
}
