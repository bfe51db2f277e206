package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class RayConfigTest {

    @Test
    void what_is_not_set_comes_from_system_properties() {
        with(
                Map.of("raybatch.storeSize", "32m", "raybatch.eviction", "lru", "raybatch.leakDetection", "paranoid",
                        "raybatch.tombstones", "12", "raybatch.storeName", "from a property"),
                () -> {
                    RayConfig config = RayConfig.defaults();
                    assertThat(config.storeSize()).hasValue(32 << 20);
                    assertThat(config.eviction()).isEqualTo(Eviction.LRU);
                    assertThat(config.leakDetection()).isEqualTo(LeakLevel.PARANOID);
                    assertThat(config.tombstones()).hasValue(12);
                    assertThat(config.storeName()).contains("from a property");
                    assertThat(RayConfig.builder().storeSize("1g").build().storeSize()).hasValue(1 << 30);
                });
    }

    @Test
    void a_wrong_property_is_refused_with_its_name_and_what_it_may_be() {
        with(Map.of("raybatch.leakDetection", "some"), () -> assertThatThrownBy(RayConfig::defaults)
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("raybatch.leakDetection")
                .hasMessageContaining("disabled, simple, advanced, paranoid"));
        with(Map.of("raybatch.tombstones", "-1"), () -> assertThatThrownBy(RayConfig::defaults)
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("raybatch.tombstones"));
    }

    @Test
    void a_store_that_cannot_be_is_refused_at_open() {
        assertThatThrownBy(() -> RayApi.open(RayConfig.builder().storeSize(1).build()))
                .isInstanceOf(RayException.class);
        assertThatThrownBy(() -> RayApi.open(RayConfig.builder().storeSize("1000t").build()))
                .isInstanceOf(RayException.class);
    }

    @Test
    void two_stores_cannot_have_one_name() {
        RayConfig config = RayConfig.builder().storeName("twice").storeSize("4m").build();
        try (RayApi first = RayApi.open(config)) {
            assertThat(first.storeName()).isEqualTo("twice");
            assertThatThrownBy(() -> RayApi.open(config))
                    .isInstanceOf(StoreOpenException.class)
                    .hasMessageContaining("twice");
        }
        RayApi.open(config).close();
    }

    private static void with(Map<String, String> properties, Runnable test) {
        properties.forEach(System::setProperty);
        try {
            test.run();
        } finally {
            properties.keySet().forEach(System::clearProperty);
        }
    }
}
