package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tasks and actors that wait for each other in a circle fail at once, and say in which. */
@Timeout(60)
class ActorCycleTest extends StoreTest {

    /** An actor that calls others. */
    static final class Node {

        public Node() {}

        public Node(int value) {}

        public int one() {
            return 1;
        }

        public int self(ActorHandle<Node> me) {
            return me.task(Node::one).remote().get();
        }

        public int selfForAWhile(ActorHandle<Node> me) {
            return me.task(Node::one).remote().get(Duration.ofHours(1));
        }

        public int all(ActorHandle<Node> me, ActorHandle<Node> other) {
            ObjectRef<Integer> mine = me.task(Node::one).remote();
            ObjectRef<Integer> theirs = other.task(Node::one).remote();
            List<Integer> both = mine.ray().get(List.of(theirs, mine));
            return both.size();
        }

        public int throughAnArgument(ActorHandle<Node> me) {
            ObjectRef<Integer> mine = me.task(Node::one).remote();
            return mine.ray().task((Integer n) -> n + 1, mine).remote().get();
        }

        public int some(ActorHandle<Node> me, ActorHandle<Node> other, int count) {
            ObjectRef<Integer> mine = me.task(Node::one).remote();
            ObjectRef<Integer> theirs = other.task(Node::one).remote();
            return mine.ray().wait(List.of(mine, theirs), count, Duration.ofHours(1)).ready().size();
        }

        public int tellThenAsk(CompletableFuture<Integer> told, CountDownLatch go, ActorHandle<Node> other) throws Exception {
            told.complete(1);
            assertThat(go.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            return other.task(Node::one).remote().get();
        }
    }

    private static void assertCycle(ThrowingCallable call, String... names) {
        assertThatThrownBy(call).isInstanceOf(TaskException.class).cause().isInstanceOf(DeadlockException.class)
                .hasMessageContainingAll(names)
                .satisfies(e -> assertThat(((RayException) e).code()).isEqualTo(ErrorCode.DEADLOCK));
    }

    @Test
    void an_actor_that_waits_for_itself_fails_and_its_batch_closes() {
        ObjectRef<Integer> self;
        Batch outer = ray.startBatch();
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> node = b.actor(Node::new).name("node").remote();
            self = node.task(Node::self, node).remote();
            b.keep(self);
        }
        assertCycle(() -> self.get(), "Node.self", "Node.one", "node", "which runs");
        outer.close();
    }

    @Test
    void a_wait_with_a_timeout_that_cannot_succeed_fails_at_once() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> node = b.actor(Node::new).remote();
            ObjectRef<Integer> self = node.task(Node::selfForAWhile, node).remote();
            assertCycle(self::get, "Node.selfForAWhile", "Node.one");
        }
    }

    @Test
    void two_actors_that_wait_for_each_other_do_not_hang() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> left = b.actor(Node::new).name("left").remote();
            ActorHandle<Node> right = b.actor(Node::new).name("right").remote();
            // both are within their methods before either asks
            Local.reset();
            ObjectRef<Integer> first = left.task(Local::ask, right).remote();
            ObjectRef<Integer> second = right.task(Local::ask, left).remote();
            Throwable one = thrownBy(first);
            Throwable two = thrownBy(second);
            assertThat(one == null).as("%s, %s", one, two).isNotEqualTo(two == null);
            Throwable cycle = one == null ? two.getCause() : one.getCause();
            assertThat(cycle).isInstanceOf(DeadlockException.class).hasMessageContainingAll("left", "right", "Local.ask", "Node.one");
        }
    }

    /** Methods of a node that meet before they ask. */
    static final class Local {

        private static volatile CountDownLatch both = new CountDownLatch(3);

        static void reset() {
            both = new CountDownLatch(2);
        }

        static int ask(Node node, ActorHandle<Node> other) throws InterruptedException {
            both.countDown();
            assertThat(both.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            return other.task(Node::one).remote().get();
        }
    }

    private static Throwable thrownBy(ObjectRef<?> ref) {
        try {
            ref.get(SOON);
            return null;
        } catch (TaskException e) {
            return e;
        }
    }

    @Test
    void an_argument_that_needs_the_waiting_actor_closes_a_cycle() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> node = b.actor(Node::new).remote();
            assertCycle(() -> node.task(Node::throughAnArgument, node).remote().get(), "Node.throughAnArgument", "takes a result of");
        }
    }

    @Test
    void of_several_objects_one_that_can_never_be_is_enough() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> node = b.actor(Node::new).remote();
            ActorHandle<Node> other = b.actor(Node::new).remote();
            assertCycle(() -> node.task(Node::all, node, other).remote().get(), "Node.all");
        }
    }

    @Test
    void a_wait_for_some_of_several_fails_only_if_too_few_can_ever_be() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> node = b.actor(Node::new).remote();
            ActorHandle<Node> other = b.actor(Node::new).remote();
            assertThat(node.task(Node::some, node, other, 1).remote().get()).isEqualTo(1);
            assertCycle(() -> node.task(Node::some, node, other, 2).remote().get(), "Node.some");
        }
    }

    @Test
    void a_task_that_the_creation_of_an_actor_takes_cannot_wait_for_the_actor() {
        try (Batch b = ray.startBatch()) {
            CompletableFuture<ActorHandle<Node>> handle = new CompletableFuture<>();
            ObjectRef<Integer> argument = b.task(() -> handle.get().task(Node::one).remote().get()).remote();
            ActorHandle<Node> node = b.actor((Integer n) -> new Node(n), argument).remote();
            handle.complete(node);
            assertCycle(argument::get, "has created", "takes a result of");
        }
    }

    @Test
    void a_busy_actor_is_waited_for() {
        try (Batch b = ray.startBatch()) {
            ActorHandle<Node> node = b.actor(Node::new).remote();
            CountDownLatch go = new CountDownLatch(1);
            Busy.go = go;
            ObjectRef<Integer> busy = node.task(Busy::hold).remote();
            ObjectRef<Integer> asks = b.task(() -> node.task(Node::one).remote().get()).remote();
            go.countDown();
            assertThat(asks.get()).isEqualTo(1);
            assertThat(busy.get()).isZero();
        }
    }

    /** A method that takes its time. */
    static final class Busy {

        private static volatile CountDownLatch go;

        static int hold(Node node) throws InterruptedException {
            assertThat(go.await(SOON.toSeconds(), TimeUnit.SECONDS)).isTrue();
            return 0;
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_task_that_ends_a_batch_whose_task_waits_for_it_does_not_wait_for_that(boolean endsFirst) {
        reopen(config -> config.taskSlots(2));
        try (Batch b = ray.startBatch()) {
            Batch other = ray.startBatch();
            CompletableFuture<ObjectRef<Integer>> mine = new CompletableFuture<>();
            CompletableFuture<Thread> ending = new CompletableFuture<>();
            CompletableFuture<Thread> asking = new CompletableFuture<>();
            CompletableFuture<Void> submitted = new CompletableFuture<>();
            ObjectRef<Integer> ends = b.task(() -> {
                submitted.get();
                if (!endsFirst) {
                    untilItWaits(asking.get());
                }
                ending.complete(Thread.currentThread());
                other.close();
                return 7;
            }).remote();
            ObjectRef<Integer> inside = other.task(() -> {
                ObjectRef<Integer> ref = mine.get();
                if (endsFirst) {
                    untilItWaits(ending.get());
                }
                asking.complete(Thread.currentThread());
                return ref.get() + 1;
            }).remote();
            CompletableFuture<Integer> seen = inside.stage().toCompletableFuture();
            submitted.complete(null);
            mine.complete(ends);
            assertThat(ends.get(SOON)).isEqualTo(7);
            assertThat(join(seen)).isEqualTo(8);
        }
    }

    private static void untilItWaits(Thread thread) {
        long end = System.nanoTime() + SOON.toNanos();
        while (thread.getState() != Thread.State.TIMED_WAITING) {
            assertThat(System.nanoTime() - end).isNegative();
            Thread.yield();
        }
    }

    @Test
    void tasks_that_end_each_others_batches_do_not_wait_for_each_other() {
        RayApi client = ray;
        for (int round = 0; round < 20; round++) {
            CountDownLatch both = new CountDownLatch(3);
            ray.startBatch(BatchOptions.builder().id(1).notCurrent().build());
            ray.startBatch(BatchOptions.builder().id(2).notCurrent().build());
            ObjectRef<Integer> first = endsOther(client, 1, 2, both);
            ObjectRef<Integer> second = endsOther(client, 2, 1, both);
            ray.transferOwnership(first, 0);
            ray.transferOwnership(second, 0);
            both.countDown();
            assertThat(first.get(SOON)).isEqualTo(2);
            assertThat(second.get(SOON)).isEqualTo(1);
            ray.free(first, second);
            ray.destroyBatch(1);
            ray.destroyBatch(2);
        }
    }

    /** A task in one batch that ends another, as the other ends its. */
    private static ObjectRef<Integer> endsOther(RayApi client, long in, long other, CountDownLatch both) {
        client.setCurrentBatch(in);
        try {
            return client.task(() -> {
                both.countDown();
                both.await(SOON.toSeconds(), TimeUnit.SECONDS);
                client.endBatch(other, false);
                return (int) other;
            }).remote();
        } finally {
            client.setCurrentBatch(0);
        }
    }
}
