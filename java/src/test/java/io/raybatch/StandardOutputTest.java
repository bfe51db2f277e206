package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Standard output belongs to the program: nothing of raybatch's, nor of what it uses, is printed there. */
class StandardOutputTest {

    private static final String EXPECTED = "{\"json\": true}\n";

    /** Puts, gets and throws what the serializer has something to say about. */
    static final class Main {

        private Main() {}

        public static void main(String[] args) throws Exception {
            try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
                List<Kind> kinds = new ArrayList<>(CorpusCollections.all());
                kinds.addAll(CorpusValues.all());
                kinds.addAll(CorpusClasses.all());
                for (Kind kind : kinds) {
                    try {
                        ray.put(kind.value().get()).get();
                    } catch (SerializationException refused) {
                        // silently
                    }
                }
                try {
                    ray.task(() -> {
                        throw new IllegalStateException("thrown", new FailureValuesTest.Unwritable("within", null));
                    }).remote().get();
                } catch (TaskException e) {
                    // expected
                }
                ray.put(new ArrayList<>(List.of(1, 2)).subList(0, 1));
            }
            System.out.println("{\"json\": true}");
        }
    }

    @Test
    void nothing_is_printed_with_slf4j() throws Exception {
        Launch.Result result = Launch.java(List.of(), Main.class.getName());
        assertThat(result.out()).as(result.err()).isEqualTo(EXPECTED);
    }

    @Test
    void nothing_is_printed_without_slf4j() throws Exception {
        Launch.Result result = Launch.java(Launch.classPathWithout("slf4j"), List.of(), Main.class.getName());
        assertThat(result.out()).as(result.err()).isEqualTo(EXPECTED);
    }
}
