package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What actors hold of the batches that call them, and where that is shown. */
class ActorRecordsTest extends TaskStoreTest {

    private void request(ActorHandle<? extends Counter> actor) {
        try (Batch b = ray.startBatch()) {
            actor.task(Counter::incAndGet).batch(b).remote().get(SOON);
        }
    }

    @Test
    void an_actor_that_is_neither_checkpointable_nor_declared_fault_tolerant_holds_no_records() {
        ActorHandle<Counter> plain = ray.actor(Counter::new).name("plain").remote();
        request(plain);
        long before = ray.memory().records().bytes();
        for (int n = 0; n < 50; n++) {
            request(plain);
        }
        assertThat(ray.memory().records().bytes()).isEqualTo(before);
        assertThat(ray.memory().records().actors()).isEmpty();
        ray.kill(plain);
        assertThatThrownBy(() -> plain.task(Counter::get).remote().get(SOON))
                .isInstanceOf(ActorDiedException.class)
                .hasMessageContaining("not fault tolerant").hasMessageContaining("Checkpointable")
                .hasMessageContaining("faultTolerant(true)");
    }

    @Test
    void a_checkpointable_one_is_fault_tolerant_unless_it_is_declared_not_to_be() {
        ActorHandle<SavedCounter> saved = ray.actor(SavedCounter::new).checkpoints(CheckpointPolicy.never()).remote();
        ActorHandle<SavedCounter> not = ray.actor(SavedCounter::new).faultTolerant(false).remote();
        request(saved);
        request(not);
        ray.kill(saved);
        ray.kill(not);
        assertThat(saved.task(Counter::incAndGet).remote().get(SOON)).isEqualTo(2);
        assertThatThrownBy(() -> not.task(Counter::get).remote().get(SOON)).isInstanceOf(ActorDiedException.class);
    }

    @Test
    void records_are_told_by_actor_and_batch_in_the_report_and_its_texts() {
        ActorHandle<Counter> keeps = ray.actor(Counter::new).name("greedy").faultTolerant(true).remote();
        for (int n = 0; n < 10; n++) {
            request(keeps);
        }
        try (Batch busy = ray.startBatch()) {
            busy.task(TaskStoreTest::twice, 1).remote().get(SOON);
            MemoryReport report = ray.memory();
            assertThat(report.records().actors()).singleElement().satisfies(actor -> {
                assertThat(actor.name()).contains("greedy");
                assertThat(actor.bytes()).isGreaterThanOrEqualTo(10 * 4096);
            });
            assertThat(report.records().batches()).anySatisfy(batch -> assertThat(batch.number()).isEqualTo(busy.id()));
            assertThat(report.records().bytes()).isEqualTo(ray.stats().records()).isLessThanOrEqualTo(report.bookkeeping());
            assertThat(report.toText()).contains("records of tasks").contains("greedy");
            assertThat(report.toJson()).contains("\"records\":{\"bytes\":").contains("greedy");
        }
        ray.kill(keeps, true);
        assertThat(ray.memory().records().actors()).isEmpty();
    }

    @Test
    void a_store_full_of_records_says_so_and_for_whom() {
        reopen(config -> config.storeSize("4m"));
        ActorHandle<Counter> keeps = ray.actor(Counter::new).name("greedy").faultTolerant(true).remote();
        for (int n = 0; n < 300; n++) {
            request(keeps);
        }
        assertThatThrownBy(() -> {
            try (Batch b = ray.startBatch()) {
                b.put(new byte[4 << 20]);
            }
        }).isInstanceOf(StoreFullException.class).hasMessageContaining("are records of tasks, held for actor")
                .hasMessageContaining("greedy");
    }
}
