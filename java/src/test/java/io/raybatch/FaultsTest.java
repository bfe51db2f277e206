package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.reflect.Array;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What only a library built with the feature {@code fault-injection} can be made to do. */
@Tag("faults")
class FaultsTest extends StoreTest {

    /** Not exports that do something: these arrange the faults. */
    private static final Set<String> INJECTORS = Set.of("injectPanic", "injectFault");

    @BeforeEach
    void onlyWithFaults() {
        try {
            Native.injectFault(ray.client(), "run", Long.MAX_VALUE);
        } catch (UnsatisfiedLinkError | RayException without) {
            assumeTrue(false, "this library was built without the feature fault-injection");
        }
    }

    static List<Method> exports() {
        return Arrays.stream(Native.class.getDeclaredMethods())
                .filter(m -> Modifier.isNative(m.getModifiers()) && !INJECTORS.contains(m.getName()))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("exports")
    void a_panic_behind_an_export_reaches_java_with_its_message_and_the_store_still_works(Method export)
            throws IllegalAccessException {
        ObjectRef<byte[]> before = ray.put(bytes(1, 100));
        Native.injectPanic(export.getName());
        try {
            export.invoke(null, Arrays.stream(export.getParameterTypes()).map(FaultsTest::anything).toArray());
            throw new AssertionError("no exception");
        } catch (InvocationTargetException e) {
            assertThat(e.getCause())
                    .isInstanceOf(RayInternalException.class)
                    .hasMessageContaining("injected: " + export.getName());
        }
        assertThat(before.get()).isEqualTo(bytes(1, 100));
        try (Batch b = ray.startBatch()) {
            assertThat(b.put("still here").get()).isEqualTo("still here");
        }
    }

    /** An argument of that type: the panic comes before it is looked at. */
    private static Object anything(Class<?> type) {
        if (type == long.class) {
            return 0L;
        }
        if (type == int.class) {
            return 0;
        }
        if (type == boolean.class) {
            return false;
        }
        if (type == ByteBuffer.class) {
            return ByteBuffer.allocateDirect(8);
        }
        return type.isArray() ? Array.newInstance(type.getComponentType(), 0) : null;
    }

    @ParameterizedTest
    @ValueSource(strings = {"run", "commit", "map"})
    void c44_the_nth_operation_of_the_store_that_fails_is_an_exception_and_leaves_the_sums_right(String point) {
        for (int nth = 1; nth <= 40; nth++) {
            Native.injectFault(ray.client(), point, nth);
            try (Batch b = ray.startBatch()) {
                for (int i = 0; i < 30; i++) {
                    ObjectRef<byte[]> ref = b.put(bytes(i, 1 << (i % 18)));
                    assertThat(ref.get()).isEqualTo(bytes(i, 1 << (i % 18)));
                }
            } catch (StoreFullException | StoreIoException failed) {
                // said, and nothing lost
            }
            ray.internal().audit();
            assertThat(ray.stats().live()).isZero();
        }
        Native.injectFault(ray.client(), point, Long.MAX_VALUE);
        assertThat(ray.put(bytes(1, 100_000)).get()).isEqualTo(bytes(1, 100_000));
        ray.evict(1 << 30);
    }
}
