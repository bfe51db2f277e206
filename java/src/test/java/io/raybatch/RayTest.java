package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RayTest {

    @AfterEach
    void shutDown() {
        Ray.shutdown();
    }

    @Test
    void the_scheduler_of_the_discussion_works_as_it_stands() {
        Ray.init(RayConfig.builder().storeSize("16m").build());
        long jobId = 42;
        Ray.startBatch(jobId);
        ObjectRef<String> ref = Ray.put("temporary");
        assertThat(Ray.get(ref)).isEqualTo("temporary");
        Ray.endBatch(jobId);
        assertThat(Ray.contains(ref)).isTrue();
        Ray.gc(jobId);
        assertThat(Ray.contains(ref)).isFalse();
    }

    @Test
    void there_is_one_store_at_a_time() {
        RayConfig config = RayConfig.builder().storeSize("16m").build();
        Ray.init(config);
        assertThatThrownBy(() -> Ray.init(config)).isInstanceOf(StoreOpenException.class);
        RayApi first = Ray.instance();
        Ray.init();
        assertThat(Ray.instance()).isSameAs(first);
        Ray.shutdown();
        Ray.shutdown();
        assertThat(Ray.isInitialized()).isFalse();
        Ray.init(config);
        assertThat(Ray.instance()).isNotSameAs(first);
    }

    @Test
    void it_opens_as_the_system_properties_say() {
        System.setProperty("raybatch.storeSize", "16m");
        try {
            Ray.init();
            assertThat(Ray.put(1).get()).isEqualTo(1);
            assertThat(Ray.stats().capacity()).isBetween(15L << 20, 17L << 20);
        } finally {
            System.clearProperty("raybatch.storeSize");
        }
    }

    @Test
    void it_has_every_method_of_an_instance() {
        Set<String> own = Set.of("open", "connect", "config", "storeName", "ownsStore", "isClosed", "close");
        Set<String> instance = Arrays.stream(RayApi.class.getDeclaredMethods())
                .filter(m -> Modifier.isPublic(m.getModifiers()) && !m.isSynthetic())
                .filter(m -> !own.contains(m.getName()) && !m.getName().equals("toString"))
                .map(RayTest::signature)
                .collect(Collectors.toCollection(TreeSet::new));
        Set<String> facade = Arrays.stream(Ray.class.getDeclaredMethods())
                .filter(m -> Modifier.isPublic(m.getModifiers()))
                .map(RayTest::signature)
                .collect(Collectors.toCollection(TreeSet::new));
        assertThat(facade).containsAll(instance);
    }

    private static String signature(Method m) {
        return m.getName() + Arrays.toString(m.getParameterTypes());
    }
}
