package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class SubscriptionTest extends StoreTest {

    @Test
    void a_batch_is_two_events_however_many_objects_it_has() {
        try (Subscription events = ray.subscribe()) {
            Batch b = ray.startBatch(7);
            ObjectRef<?> ref = b.put(new byte[10]);
            assertThat(events.take().id()).isEqualTo(ref.id());
            b.close();
            assertThat(List.of(events.take(), events.take()))
                    .extracting(ObjectEvent::type)
                    .containsExactly(ObjectEvent.Type.BATCH_ENDED, ObjectEvent.Type.BATCH_COLLECTED);
            assertThat(events.poll(A_MOMENT)).isEmpty();
        }
    }

    @Test
    void take_waits_for_an_event() {
        try (Subscription events = ray.subscribe()) {
            CompletableFuture<ObjectEvent> next = inThread(events::take);
            sleep(A_MOMENT);
            assertThat(next).isNotDone();
            ObjectRef<?> ref = ray.put(1);
            assertThat(join(next).id()).isEqualTo(ref.id());
        }
    }

    @Test
    void a_listener_hears_of_everything_in_order_one_at_a_time_and_survives_its_own_failure() throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(3);
        List<Long> sizes = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch all = new CountDownLatch(2000);
        try (Subscription events = ray.subscribe(pool, event -> {
            if (event.type() == ObjectEvent.Type.SEALED) {
                sizes.add(event.size());
                all.countDown();
            }
            if (event.size() % 100 == 0) {
                throw new IllegalStateException("a listener's failure");
            }
        })) {
            for (int i = 0; i < 2000; i++) {
                ray.put(new byte[i]);
            }
            assertThat(all.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(sizes).hasSize(2000).isSorted();
            assertThat(events).isNotNull();
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void many_takers_get_each_event_once() {
        List<CompletableFuture<List<ObjectId>>> takers = new ArrayList<>();
        try (Subscription events = ray.subscribe()) {
            for (int t = 0; t < 4; t++) {
                takers.add(inThread(() -> {
                    List<ObjectId> ids = new ArrayList<>();
                    while (ids.size() < 500) {
                        ids.add(events.take().id());
                    }
                    return ids;
                }));
            }
            List<ObjectId> put = new ArrayList<>();
            for (int i = 0; i < 2000; i++) {
                put.add(ray.put(new byte[1]).id());
            }
            List<ObjectId> taken = new ArrayList<>();
            takers.forEach(taker -> taken.addAll(join(taker)));
            assertThat(taken).containsExactlyInAnyOrderElementsOf(put);
        }
    }
}
