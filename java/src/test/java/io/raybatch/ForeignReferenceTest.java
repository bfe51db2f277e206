package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** References and actors of one store in the hands of another one's client. */
@Timeout(60)
class ForeignReferenceTest extends StoreTest {

    private RayApi other;

    static final class Counter {
        private int count;

        int next() {
            return ++count;
        }
    }

    @BeforeEach
    void openAnother() {
        other = open(config -> config);
    }

    @AfterEach
    void closeIt() {
        other.close();
    }

    private void refused(ThrowingCallable call) {
        assertThatThrownBy(call)
                .isInstanceOf(ObjectNotFoundException.class)
                .hasMessageContaining("is of the store " + ray.storeName() + ", and not of the store " + other.storeName());
    }

    @Test
    void a_reference_is_refused_and_not_waited_for() {
        ObjectRef<String> mine = ray.put("x");
        refused(() -> other.get(mine));
        refused(() -> other.get(mine, SOON));
        refused(() -> other.get(List.of(mine)));
        refused(() -> other.wait(List.of(mine), 1, SOON));
        refused(() -> other.read(mine));
        assertThat(other.contains(mine)).isFalse();
        refused(() -> other.hash(mine));
        refused(() -> other.task((String text) -> text, mine).remote());
        assertThat(mine.get()).isEqualTo("x");
    }

    @Test
    void so_is_one_inside_of_a_value() {
        ObjectRef<String> mine = ray.put("x");
        ObjectRef<String> inner = other.put(List.of(mine)).get().get(0);
        refused(inner::get);
        refused(() -> inner.get(Duration.ofSeconds(3)));
        refused(() -> other.wait(List.of(inner), 1, SOON));
        refused(() -> other.task((String text) -> text, inner).remote());
        assertThatThrownBy(() -> inner.stage().toCompletableFuture().join())
                .isInstanceOf(CompletionException.class)
                .hasCauseInstanceOf(ObjectNotFoundException.class);
    }

    @Test
    void it_is_one_of_its_own_store_again_when_it_comes_back() {
        ObjectRef<String> mine = ray.put("x");
        ObjectRef<String> there = other.put(Map.of("k", mine)).get().get("k");
        ObjectRef<String> back = ray.put(List.of(there)).get().get(0);
        assertThat(back.get()).isEqualTo("x");
    }

    @Test
    void one_of_a_closed_store_says_so() {
        RayApi closed = open(config -> config);
        ObjectRef<String> gone = closed.put("x");
        ObjectRef<String> inner = other.put(List.of(gone)).get().get(0);
        closed.close();
        assertThatThrownBy(inner::get).isInstanceOf(ObjectNotFoundException.class).hasMessageContaining("a store that is closed");
    }

    @Test
    void a_further_client_of_the_same_store_has_the_same_references() {
        try (RayApi second = RayApi.connect(ray.storeName())) {
            ObjectRef<String> mine = ray.put("x");
            assertThat(second.get(mine)).isEqualTo("x");
            assertThat(second.put(List.of(mine)).get().get(0).get()).isEqualTo("x");
        }
    }

    @Test
    void an_actor_inside_of_a_value_is_refused() {
        ActorHandle<Counter> mine = ray.actor(Counter::new).remote();
        assertThat(mine.task(Counter::next).remote().get()).isEqualTo(1);
        ActorHandle<Counter> inner = other.put(List.of(mine)).get().get(0);
        refused(() -> inner.task(Counter::next).remote());
        refused(() -> other.kill(inner));
        assertThat(inner).isEqualTo(mine);
        assertThat(mine.task(Counter::next).remote().get()).isEqualTo(2);
    }

    @Test
    void handles_of_another_store_are_refused_by_calls_that_change_something() {
        ObjectRef<String> mine = ray.put("x");
        refused(() -> other.cancel(mine));
        refused(() -> other.transferOwnership(mine, 0));
        try (Batch theirs = other.startBatch(); Batch ours = ray.startBatch()) {
            refused(() -> theirs.keep(mine));
            assertThatThrownBy(() -> other.cancel(ours)).isInstanceOf(BatchNotFoundException.class).hasMessageContaining("of the store");
            assertThatThrownBy(() -> other.startBatch(BatchOptions.builder().parent(ours).build()))
                    .isInstanceOf(BatchNotFoundException.class).hasMessageContaining("of the store");
            ActorHandle<StringBuilder> actor = ours.actor(() -> new StringBuilder()).remote();
            assertThatThrownBy(() -> other.kill(actor)).isInstanceOf(InvalidArgumentException.class);
            assertThatThrownBy(() -> other.cancel(actor)).isInstanceOf(InvalidArgumentException.class);
        }
        assertThatThrownBy(() -> ray.get((ObjectRef<String>) null)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> ray.put(other)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("handle");
    }
}
