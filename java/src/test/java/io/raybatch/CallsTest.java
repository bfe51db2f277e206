package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** What the generated overloads take, and that the compiler finds the one that is meant. */
class CallsTest extends StoreTest {

    static int answer() {
        return 42;
    }

    static int twice(int x) {
        return 2 * x;
    }

    static String text(String a, long b, List<Integer> c, Object d) {
        return a + b + c + d;
    }

    static void nothing() {}

    static void throwing(int x) throws IOException {
        throw new IOException("of " + x);
    }

    static final class Counter {
        private int count;

        Counter() {}

        Counter(int count) {
            this.count = count;
        }

        int incAndGet() {
            return ++count;
        }

        int add(int n) {
            return count += n;
        }

        void reset() {
            count = 0;
        }

        void set(int n, String why) {
            count = n;
        }
    }

    static final class Named {
        private final String name;

        Named(String name) {
            this.name = name;
        }

        String name() {
            return name;
        }
    }

    private Object run(TaskCaller<?> task) {
        try {
            return Invocation.of(task.function(), task.arguments());
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void a_method_reference_finds_its_overload() {
        TaskCaller<Integer> answer = ray.task(CallsTest::answer);
        TaskCaller<Integer> twice = ray.task(CallsTest::twice, 4);
        TaskCaller<Void> nothing = ray.task(CallsTest::nothing);
        TaskCaller<String> text = ray.task(CallsTest::text, "a", 1L, List.of(2), (Object) 'c');
        assertThat(run(answer)).isEqualTo(42);
        assertThat(run(twice)).isEqualTo(8);
        assertThat(run(nothing)).isNull();
        assertThat(run(text)).isEqualTo("a1[2]c");
    }

    @Test
    void a_lambda_finds_its_overload() {
        int captured = 5;
        TaskCaller<Integer> sum = ray.task((Integer a, Integer b) -> a + b + captured, 1, 2);
        TaskCaller<Integer> constant = ray.task(() -> 7);
        List<Integer> seen = new ArrayList<>();
        TaskCaller<Void> block = ray.task((Integer a) -> {
            seen.add(a);
        }, 1);
        assertThat(run(sum)).isEqualTo(8);
        assertThat(run(constant)).isEqualTo(7);
        assertThat(run(block)).isNull();
        assertThat(seen).containsExactly(1);
    }

    @Test
    void a_reference_stands_for_its_value_wherever_it_stands() {
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> one = b.put(1);
            ObjectRef<String> a = b.put("a");
            ObjectRef<List<Integer>> list = b.put(List.of(1));
            TaskCaller<Integer> twice = ray.task(CallsTest::twice, one);
            assertThat(twice.arguments()).containsExactly(one);
            assertThat(ray.task((String x, Integer y) -> x + y, a, 1).arguments()).containsExactly(a, 1);
            assertThat(ray.task((String x, Integer y) -> x + y, "a", one).arguments()).containsExactly("a", one);
            assertThat(ray.task((String x, Integer y) -> x + y, a, one).arguments()).containsExactly(a, one);
            TaskCaller<String> mixed = ray.task(
                    (String x, Long y, List<Integer> z, Integer w) -> x + y + z + w, a, 2L, list, one);
            assertThat(mixed.arguments()).containsExactly(a, 2L, list, one);
        }
    }

    @Test
    void a_constructor_and_its_methods_find_theirs() {
        assertThat(ray.actor(Counter::new).arguments()).isEmpty();
        assertThat(ray.actor(Counter::new, 3).arguments()).containsExactly(3);
        ActorCreator<Named> named = ray.actor(Named::new, "x");
        assertThat(named).hasToString("new CallsTest$Named");
        ActorHandle<Counter> counter = new ActorHandle<>(ray, null, 1, "counter");
        TaskCaller<Integer> inc = counter.task(Counter::incAndGet);
        TaskCaller<Integer> add = counter.task(Counter::add, 4);
        TaskCaller<Void> reset = counter.task(Counter::reset);
        TaskCaller<Void> set = counter.task(Counter::set, 4, "why");
        assertThat(inc.actor()).isEqualTo(counter);
        assertThat(add.arguments()).containsExactly(4);
        assertThat(reset.arguments()).isEmpty();
        assertThat(set.arguments()).containsExactly(4, "why");
    }

    @Test
    void a_function_may_throw_what_it_likes() throws Exception {
        TaskCaller<Void> throwing = ray.task(CallsTest::throwing, 3);
        assertThatThrownBy(() -> Invocation.of(throwing.function(), throwing.arguments()))
                .isInstanceOf(IOException.class)
                .hasMessage("of 3");
    }

    @Test
    void a_task_is_named_after_its_method_unless_it_is_told_another_name() {
        assertThat(ray.task(CallsTest::twice, 1)).hasToString("CallsTest.twice");
        assertThat(ray.task(CallsTest::twice, 1).name("doubling")).hasToString("doubling");
        assertThat(FunctionNames.of((RayFunc0<Integer>) () -> 1)).startsWith("CallsTest.lambda$");
        assertThat(FunctionNames.of((RayFunc1<Counter, Integer>) Counter::incAndGet)).isEqualTo("CallsTest$Counter.incAndGet");
        Object captured = new Object();
        assertThat(FunctionNames.of((RayFunc0<String>) captured::toString)).isEqualTo("Object.toString");
        assertThat(FunctionNames.of(new RayVoidFunc0() {
            @Override
            public void call() {}
        })).startsWith("CallsTest$");
    }

    @Test
    void options_are_looked_at_when_they_are_set() {
        TaskCaller<Integer> task = ray.task(CallsTest::answer);
        assertThatThrownBy(() -> task.retries(-1)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("retries is -1");
        assertThatThrownBy(() -> task.retries(1 << 16)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("65535");
        assertThatThrownBy(() -> task.cpus(0)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("cpus is 0");
        assertThatThrownBy(() -> task.batch(null)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("batch is null");
        assertThatThrownBy(() -> task.remote(0)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("return values");
        assertThatThrownBy(() -> task.remote(257)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("256");
        assertThatThrownBy(() -> ray.task((RayFunc0<Integer>) null))
                .isInstanceOf(InvalidArgumentException.class).hasMessageContaining("the function is null");
        ActorCreator<Counter> actor = ray.actor(Counter::new);
        assertThatThrownBy(() -> actor.restarts(-1)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("restarts is -1");
        assertThatThrownBy(() -> actor.checkpoints(null)).isInstanceOf(InvalidArgumentException.class);
        assertThatThrownBy(() -> CheckpointPolicy.every(0)).isInstanceOf(InvalidArgumentException.class).hasMessageContaining("every is 0");
        assertThat(CheckpointPolicy.every(5)).hasToString("every 5 tasks");
        assertThat(actor.checkpoints()).isEqualTo(CheckpointPolicy.balanced());
        assertThatThrownBy(() -> BatchOptions.builder().maxTasks(0)).isInstanceOf(InvalidArgumentException.class);
    }

    @Test
    void immutable_arguments_are_handed_over_as_they_are_and_others_are_put() {
        List<Object> put = new ArrayList<>();
        try (Batch b = ray.startBatch()) {
            ObjectRef<Integer> ref = b.put(1);
            byte[] bytes = {1};
            Object[] given = {1, "a", null, TimeUnit.DAYS, Instant.EPOCH, new UUID(1, 2), ref.id(), ref, bytes};
            Arguments arguments = Arguments.of(given, b.scope(), value -> {
                put.add(value);
                return b.put(value);
            });
            assertThat(put).containsExactly(bytes);
            assertThat(arguments.stored()).hasSize(given.length).startsWith(1, "a", null, TimeUnit.DAYS, Instant.EPOCH);
            assertThat(arguments.stored()[7]).isEqualTo(new StoredCall.Argument(ref.batchId(), ref.task(), ref.index()));
            assertThat(arguments.ids()).hasSize(2 * ObjectId.BYTES);
            assertThat(arguments.ids()).startsWith(ref.id().toBytes());
            assertThat(arguments.held()).as("its own batch").isNull();
            assertThat(given[8]).as("the caller's array").isSameAs(bytes);
            try (Batch other = ray.startBatch()) {
                assertThat(Arguments.of(new Object[] {ref}, other.scope(), value -> null).held()).isNotNull();
            }
        }
    }

    @Test
    void what_a_task_has_no_use_for_is_no_argument() {
        try (Batch b = ray.startBatch()) {
            assertThatThrownBy(() -> Arguments.of(new Object[] {b}, b.scope(), b::put))
                    .isInstanceOf(InvalidArgumentException.class).hasMessageContaining("cannot be an argument");
            assertThatThrownBy(() -> Arguments.of(new Object[] {ray}, b.scope(), b::put))
                    .isInstanceOf(InvalidArgumentException.class).hasMessageContaining("RayApi");
        }
    }
}
