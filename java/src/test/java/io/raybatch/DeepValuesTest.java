package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Values whose objects are nested deeply. */
class DeepValuesTest extends StoreTest {

    private static final long SMALL_STACK = 200 << 10;
    private static final int ENDLESS = 3_000_000;

    static final class Node {
        Node next;
        int value;
    }

    record Link(Link next, int value) {}

    private static Node nodes(int depth) {
        Node head = null;
        for (int n = 0; n < depth; n++) {
            Node node = new Node();
            node.next = head;
            node.value = n;
            head = node;
        }
        return head;
    }

    private static Link links(int depth) {
        Link head = null;
        for (int n = 0; n < depth; n++) {
            head = new Link(head, n);
        }
        return head;
    }

    private static List<Object> lists(int depth) {
        List<Object> outer = new ArrayList<>();
        for (int n = 1; n < depth; n++) {
            List<Object> around = new ArrayList<>();
            around.add(outer);
            outer = around;
        }
        return outer;
    }

    private static int depth(Node head) {
        int depth = 0;
        for (Node node = head; node != null; node = node.next) {
            depth++;
        }
        return depth;
    }

    private static int depth(Link head) {
        int depth = 0;
        for (Link link = head; link != null; link = link.next) {
            depth++;
        }
        return depth;
    }

    @SuppressWarnings("unchecked")
    private static int depth(List<Object> outer) {
        int depth = 1;
        for (List<Object> list = outer; !list.isEmpty(); list = (List<Object>) list.get(0)) {
            depth++;
        }
        return depth;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 60, 127, 128, 129, 1_000, 10_000, 20_000})
    void a_graph_comes_back_whole(int depth) {
        assertThat(depth(ray.put(nodes(depth)).get())).isEqualTo(depth);
        assertThat(depth(ray.put(links(depth)).get())).isEqualTo(depth);
        assertThat(depth(ray.put(lists(depth)).get())).isEqualTo(depth);
    }

    @Test
    void it_can_be_an_argument_and_a_result() {
        assertThat(ray.task((Node head) -> depth(head), nodes(10_000)).remote().get()).isEqualTo(10_000);
        ObjectRef<Node> made = ray.task(() -> nodes(10_000)).remote();
        assertThat(depth(made.get())).isEqualTo(10_000);
        assertThat(ray.task((Node head) -> depth(head), made).remote().get()).isEqualTo(10_000);
    }

    @Test
    void a_small_stack_will_do() throws Exception {
        Object[] got = new Object[2];
        Thread thread = new Thread(null, () -> {
            try {
                ObjectRef<Node> ref = ray.put(nodes(10_000));
                got[0] = depth(ref.get());
                got[1] = depth(ray.put(nodes(120)).get());
            } catch (RuntimeException | Error e) {
                got[0] = e;
            }
        }, "small stack", SMALL_STACK);
        thread.start();
        thread.join(SOON.toMillis());
        assertThat(got).containsExactly(10_000, 120);
    }

    @Test
    void references_within_it_are_of_the_readers_client() {
        List<Object> outer = lists(2_000);
        ObjectRef<String> inner = ray.put("inner");
        outer.add(inner);
        assertThat(ray.put(outer).get().get(1)).isEqualTo(inner);
    }

    @Test
    void what_is_too_deep_is_refused_with_the_limit_and_the_serializer_goes_on() {
        Node endless = nodes(ENDLESS);
        assertThatThrownBy(() -> ray.put(endless))
                .isInstanceOf(SerializationException.class)
                .hasMessageContaining("nested too deeply")
                .hasMessageContaining("10,000");
        assertThat(depth(ray.put(nodes(3)).get())).isEqualTo(3);
    }

    @Test
    void ordinary_values_start_no_thread() {
        ray.put(links(100)).get();
        long before = DeepStack.started();
        for (int n = 0; n < 100; n++) {
            ray.put(links(100)).get();
        }
        assertThat(DeepStack.started()).isEqualTo(before);
        ray.put(nodes(10_000)).get();
        assertThat(DeepStack.started()).isGreaterThan(before);
    }
}
