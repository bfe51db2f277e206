package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.Serializable;
import java.util.Collection;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Which calls of {@code task} and {@code actor} compile, and what the function receives: method references where they name one
 * method, lambda expressions with typed parameters everywhere else.
 */
class OverloadsTest extends StoreTest {

    static String text(Object o) {
        return "text of " + o;
    }

    static String texts(Object a, Object b, String c) {
        return a + " " + b + " " + c;
    }

    static String serializable(Serializable s) {
        return "serializable " + s;
    }

    static <T> String generic(T t) {
        return "generic " + t;
    }

    static String overloaded(Integer x) {
        return "integer " + x;
    }

    static String overloaded(String x) {
        return "string " + x;
    }

    static int size(List<?> any) {
        return any.size();
    }

    static int sum(List<Integer> xs) {
        return xs.stream().mapToInt(Integer::intValue).sum();
    }

    static double sumOf(Collection<? extends Number> xs) {
        return xs.stream().mapToDouble(Number::doubleValue).sum();
    }

    static int count(List<ObjectRef<Integer>> refs) {
        return refs.size();
    }

    static int scaled(List<Integer> xs, int by) {
        return sum(xs) * by;
    }

    static int dot(List<Integer> xs, List<Integer> ys) {
        int sum = 0;
        for (int i = 0; i < xs.size(); i++) {
            sum += xs.get(i) * ys.get(i);
        }
        return sum;
    }

    static String four(String a, List<Integer> b, int c, Object d) {
        return a + sum(b) + c + d;
    }

    static void consume(List<Integer> xs) {
        assertThat(xs).containsExactly(1, 2, 3);
    }

    static final class Total {
        private int total;

        Total(List<Integer> start) {
            total = sum(start);
        }

        int add(List<Integer> xs) {
            total += sum(xs);
            return total;
        }

        void addScaled(List<Integer> xs, int by) {
            total += scaled(xs, by);
        }

        int total() {
            return total;
        }
    }

    private List<ObjectRef<Integer>> refs() {
        return List.of(ray.put(1), ray.put(2), ray.put(3));
    }

    @Test
    void a_parameter_of_type_object_takes_what_a_reference_holds_through_a_typed_lambda() {
        ObjectRef<Integer> ref = ray.put(5);
        assertThat(ray.task((Integer x) -> text(x), ref).remote().get()).isEqualTo("text of 5");
        assertThat(ray.task((Object o) -> text(o), ref).remote().get()).isEqualTo("text of 5");
        ObjectRef<Object> untyped = ray.ref(ref.id(), Object.class);
        assertThat(ray.task((Object o) -> text(o), (ObjectRef<?>) untyped).remote().get()).isEqualTo("text of 5");
        assertThat(ray.task((Integer x) -> serializable(x), ref).remote().get()).isEqualTo("serializable 5");
        assertThat(ray.task((Serializable s) -> serializable(s), ref).remote().get()).isEqualTo("serializable 5");
        assertThat(ray.task((Integer x) -> generic(x), ref).remote().get()).isEqualTo("generic 5");
        assertThat(ray.task((Integer x) -> overloaded(x), ref).remote().get()).isEqualTo("integer 5");
        assertThat(ray.task((Object a, Object b, String c) -> texts(a, b, c), ref, "x", ray.put("y")).remote().get())
                .isEqualTo("5 x y");
        assertThat(ray.task(OverloadsTest::text, "no reference").remote().get()).isEqualTo("text of no reference");
    }

    @Test
    void a_list_of_references_is_resolved_where_the_function_takes_a_list_of_values() {
        List<ObjectRef<Integer>> refs = refs();
        assertThat(ray.task(OverloadsTest::sum, refs).remote().get()).isEqualTo(6);
        assertThat(ray.task(OverloadsTest::sumOf, refs).remote().get()).isEqualTo(6.0);
        ray.task(OverloadsTest::consume, refs).remote().get();
        assertThat(ray.task((List<Integer> xs) -> size(xs), refs).remote().get()).isEqualTo(3);
        assertThat(ray.task((List<Integer> xs) -> text(xs), refs).remote().get()).isEqualTo("text of [1, 2, 3]");
        assertThat(ray.task(OverloadsTest::scaled, refs, 2).remote().get()).isEqualTo(12);
        assertThat(ray.task(OverloadsTest::scaled, refs, ray.put(3)).remote().get()).isEqualTo(18);
        assertThat(ray.task(OverloadsTest::dot, refs, refs).remote().get()).isEqualTo(14);
        assertThat(ray.task(OverloadsTest::dot, refs, List.of(1, 1, 1)).remote().get()).isEqualTo(6);
        assertThat(ray.task((String a, List<Integer> b, Integer c, Object d) -> four(a, b, c, d), "a", refs, ray.put(4), 'd')
                .remote().get()).isEqualTo("a64d");
        assertThat(ray.task(OverloadsTest::sum, List.of(1, 2)).remote().get()).as("a list of values").isEqualTo(3);
        assertThat(ray.task(OverloadsTest::sum, ray.put(List.of(4, 5))).remote().get()).as("a reference to a list").isEqualTo(9);
    }

    @Test
    void a_list_of_references_stays_one_where_the_function_takes_references() {
        List<ObjectRef<Integer>> refs = refs();
        assertThat(ray.task(OverloadsTest::count, refs).remote().get()).isEqualTo(3);
        assertThat(ray.task((List<ObjectRef<Integer>> xs) -> xs.get(1).get(), refs).remote().get()).isEqualTo(2);
        assertThat(ray.task((List<?> xs) -> xs.get(0) instanceof ObjectRef, refs).remote().get()).isTrue();
    }

    @Test
    void every_way_to_submit_takes_lists() {
        try (Batch b = ray.startBatch()) {
            List<ObjectRef<Integer>> refs = List.of(b.put(1), b.put(2), b.put(3));
            assertThat(b.task(OverloadsTest::sum, refs).remote().get()).isEqualTo(6);
            ActorHandle<Total> total = b.actor(Total::new, refs).remote();
            assertThat(total.task(Total::add, refs).remote().get()).isEqualTo(12);
            total.task(Total::addScaled, refs, 2).remote().get();
            assertThat(total.task(Total::total).remote().get()).isEqualTo(24);
            assertThat(ray.actor(Total::new, refs).remote().task(Total::total).remote().get()).isEqualTo(6);
        }
        try {
            Ray.init();
            List<ObjectRef<Integer>> refs = List.of(Ray.put(1), Ray.put(2));
            assertThat(Ray.task(OverloadsTest::sum, refs).remote().get()).isEqualTo(3);
            assertThat(Ray.actor(Total::new, refs).remote().task(Total::total).remote().get()).isEqualTo(3);
        } finally {
            Ray.shutdown();
        }
    }
}
