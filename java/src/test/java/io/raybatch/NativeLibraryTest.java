package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {

    @Test
    void a_library_that_is_named_and_fails_is_fatal(@TempDir Path folder) {
        String missing = folder.resolve("missing.so").toString();
        assertThatThrownBy(() -> NativeLibrary.load(Map.of("raybatch.library", missing)::get))
                .isInstanceOfSatisfying(NativeLibraryException.class, e -> {
                    assertThat(e).hasMessageContaining("raybatch.library").hasMessageContaining(missing);
                    assertThat(e.getSuppressed()).hasSize(1);
                    assertThat(e.code()).isEqualTo(ErrorCode.NATIVE_LIBRARY);
                });
    }

    @Test
    void on_a_platform_without_one_the_error_names_it_and_all_that_was_tried(@TempDir Path folder) {
        Map<String, String> properties =
                Map.of("os.name", "Plan 9", "os.arch", "mips", "java.io.tmpdir", folder.toString());
        assertThatThrownBy(() -> NativeLibrary.load(properties::get))
                .isInstanceOfSatisfying(NativeLibraryException.class, e -> {
                    assertThat(e)
                            .hasMessageContaining("plan-9-mips")
                            .hasMessageContaining("-Draybatch.library=")
                            .hasMessageContaining("java.library.path");
                    assertThat(e.getSuppressed()).hasSize(2);
                });
    }

    @Test
    void a_library_of_another_version_is_refused() {
        assertThatThrownBy(() -> NativeLibrary.checkVersion("0.0.9"))
                .isInstanceOf(NativeLibraryException.class)
                .hasMessageContaining("0.0.9")
                .hasMessageContaining(NativeLibrary.VERSION);
    }

    @Test
    void jar_and_crate_have_one_version() throws IOException {
        assertThat(Files.readString(StoreTest.project().resolve("Cargo.toml")))
                .contains("version = \"" + NativeLibrary.VERSION + "\"");
        NativeLibrary.ensureLoaded();
        assertThat(Native.version()).isEqualTo(NativeLibrary.VERSION);
    }

    /** The JVM gives a library file to one class loader only. */
    @Test
    void it_loads_in_a_second_class_loader() throws Exception {
        NativeLibrary.ensureLoaded();
        URL[] path = Arrays.stream(System.getProperty("java.class.path").split(java.io.File.pathSeparator))
                .map(Path::of)
                .filter(Files::exists)
                .map(NativeLibraryTest::url)
                .toArray(URL[]::new);
        try (URLClassLoader second = new URLClassLoader(path, ClassLoader.getPlatformClassLoader())) {
            Class<?> twin = second.loadClass(Twin.class.getName());
            assertThat(twin).isNotSameAs(Twin.class);
            Object sum = ((java.util.function.Supplier<?>) twin.getDeclaredConstructor().newInstance()).get();
            assertThat(sum).isEqualTo("got 7");
        }
    }

    private static URL url(Path path) {
        try {
            return path.toUri().toURL();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** Run in the second class loader. */
    public static final class Twin implements java.util.function.Supplier<String> {

        /** By reflection. */
        public Twin() {}

        @Override
        public String get() {
            try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("8m").build()); Batch b = ray.startBatch()) {
                return "got " + b.put(7).get();
            }
        }
    }
}
