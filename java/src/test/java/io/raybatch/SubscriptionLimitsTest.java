package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.raybatch.ObjectEvent.Type;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Subscriptions end with their client, and their queues are bounded. */
class SubscriptionLimitsTest extends StoreTest {

    private static List<ObjectEvent> rest(Subscription events) {
        List<ObjectEvent> all = new ArrayList<>();
        for (Optional<ObjectEvent> e = events.poll(A_MOMENT); e.isPresent(); e = events.poll(A_MOMENT)) {
            all.add(e.get());
        }
        return all;
    }

    private List<ObjectId> put(int count) {
        List<ObjectId> ids = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            ids.add(ray.put(new byte[n]).id());
        }
        return ids;
    }

    private static void eventually(String what, BooleanSupplier holds) {
        long end = System.nanoTime() + SOON.toNanos();
        while (!holds.getAsBoolean()) {
            assertThat(System.nanoTime()).as("in time: " + what).isLessThan(end);
            System.gc();
            Thread.yield();
        }
    }

    @Test
    void a_full_queue_drops_the_oldest_events_and_says_how_many() {
        try (Subscription events = ray.subscribe(10)) {
            List<ObjectId> ids = put(100);
            assertThat(events.lag()).isEqualTo(10);
            assertThat(events.dropped()).isEqualTo(90);
            ObjectEvent lagged = events.take();
            assertThat(lagged).isEqualTo(new ObjectEvent(Type.LAGGED, new ObjectId(0, 0, 0), 90, 0));
            assertThat(rest(events)).extracting(ObjectEvent::id).isEqualTo(ids.subList(90, 100));
            assertThat(events.lag()).isZero();
            assertThat(rest(events)).isEmpty();
            ids = put(10);
            assertThat(rest(events)).as("nothing more was dropped").extracting(ObjectEvent::id).isEqualTo(ids);
            assertThat(events.dropped()).isEqualTo(90);
        }
    }

    @Test
    void objects_that_exist_count_too() {
        List<ObjectId> ids = put(50);
        try (Subscription events = ray.subscribe(20); Subscription roomy = ray.subscribe()) {
            assertThat(events.take().size()).isEqualTo(30);
            assertThat(rest(events)).hasSize(20).allMatch(e -> e.type() == Type.SEALED && ids.contains(e.id()));
            assertThat(rest(roomy)).as("the default holds %d", Subscription.QUEUE).hasSize(50);
            assertThat(roomy.dropped()).isZero();
        }
        assertThat(Subscription.QUEUE * Subscription.EVENT_BYTES).as("as documented").isEqualTo(3 << 20);
        assertThatThrownBy(() -> ray.subscribe(0)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> ray.subscribe((1 << 24) + 1)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void a_slow_listener_is_notified_of_its_lag_and_its_errors_stop_nobody() throws Exception {
        ExecutorService pool = Executors.newSingleThreadExecutor();
        BlockingQueue<ObjectEvent> told = new LinkedBlockingQueue<>();
        CountDownLatch release = new CountDownLatch(1);
        CountDownLatch begun = new CountDownLatch(1);
        Consumer<ObjectEvent> slow = event -> {
            told.add(event);
            begun.countDown();
            try {
                release.await(SOON.toSeconds(), TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            throw new AssertionError("of a listener, which is logged");
        };
        BlockingQueue<ObjectEvent> others = new LinkedBlockingQueue<>();
        try (Subscription events = ray.subscribe(10, pool, slow); Subscription other = ray.subscribe(Runnable::run, others::add)) {
            put(1);
            assertThat(begun.await(20, TimeUnit.SECONDS)).isTrue();
            List<ObjectId> ids = put(30);
            release.countDown();
            assertThat(told.poll(20, TimeUnit.SECONDS).type()).isEqualTo(Type.SEALED);
            assertThat(told.poll(20, TimeUnit.SECONDS)).isEqualTo(new ObjectEvent(Type.LAGGED, new ObjectId(0, 0, 0), 20, 0));
            for (ObjectId id : ids.subList(20, 30)) {
                assertThat(told.poll(20, TimeUnit.SECONDS).id()).isEqualTo(id);
            }
            for (int n = 0; n < 31; n++) {
                assertThat(others.poll(20, TimeUnit.SECONDS).type()).isEqualTo(Type.SEALED);
            }
            assertThat(events.dropped()).isEqualTo(20);
            assertThat(other.dropped()).isZero();
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void a_clients_end_is_its_subscriptions_end_also_for_threads_that_wait() {
        for (boolean owner : new boolean[] {true, false}) {
            RayApi store = open(config -> config);
            RayApi client = owner ? store : RayApi.connect(store.storeName());
            Subscription taken = client.subscribe();
            Subscription polled = client.subscribe();
            CompletableFuture<ObjectEvent> taking = inThread(taken::take);
            CompletableFuture<Optional<ObjectEvent>> polling = inThread(() -> polled.poll(SOON));
            sleep(A_MOMENT);
            client.close();
            assertThatThrownBy(() -> join(taking))
                    .isInstanceOf(RayClosedException.class).hasMessageContaining(store.storeName());
            assertThat(join(polling)).isEmpty();
            assertThatThrownBy(taken::take).isInstanceOf(RayClosedException.class);
            assertThat(taken.lag()).isZero();
            assertThat(taken.dropped()).isZero();
            taken.close();
            store.close();
        }
    }

    @Test
    void nothing_refers_to_a_listener_once_its_client_or_its_store_is_closed() {
        int tokens = Wakeups.count();
        List<WeakReference<Consumer<ObjectEvent>>> listeners = new ArrayList<>();
        for (int n = 0; n < 30; n++) {
            RayApi store = open(config -> config);
            RayApi guest = RayApi.connect(store.storeName());
            for (RayApi client : List.of(store, guest)) {
                listeners.add(listen(client));
            }
            if (n % 2 == 0) {
                guest.close();
            }
            store.close();
            guest.close();
        }
        assertThat(Wakeups.count()).as("tokens of 60 subscriptions").isLessThan(tokens + 20);
        eventually("listeners are unreachable", () -> listeners.stream().allMatch(listener -> listener.get() == null));
    }

    private static WeakReference<Consumer<ObjectEvent>> listen(RayApi client) {
        List<ObjectEvent> seen = new ArrayList<>();
        Consumer<ObjectEvent> listener = seen::add;
        client.subscribe(Runnable::run, listener);
        client.put(1);
        return new WeakReference<>(listener);
    }
}
