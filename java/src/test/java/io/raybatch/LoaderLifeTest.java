package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The loader of an application whose values were put and got is collected while the store stays open. */
class LoaderLifeTest {

    @Test
    void a_loader_is_collected_when_the_application_drops_it(@TempDir Path folder) throws Exception {
        CompiledApp.into(folder);
        // Fory holds constructors softly: here the JVM clears what is held so at each collection
        Launch.Result result = Launch.java(List.of("-XX:SoftRefLRUPolicyMSPerMB=0", "-Xmx256m"), Main.class.getName(), folder.toString());
        assertThat(result.out()).as(result.err()).isEqualTo("collected\n");
    }

    /** The application's server. */
    static final class Main {

        private Main() {}

        public static void main(String[] args) throws Exception {
            try (RayApi ray = RayApi.open(RayConfig.builder().storeSize("16m").build())) {
                WeakReference<ClassLoader> loader = used(ray, Path.of(args[0]));
                for (int n = 0; n < 200 && loader.get() != null; n++) {
                    System.gc();
                    Thread.sleep(20);
                }
                System.out.println(loader.get() == null ? "collected" : "still there");
            }
        }

        private static WeakReference<ClassLoader> used(RayApi ray, Path folder) throws Exception {
            ClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, Main.class.getClassLoader());
            Thread.currentThread().setContextClassLoader(loader);
            Object item = loader.loadClass("app.Item").getConstructor().newInstance();
            for (int n = 0; n < 20; n++) {
                check(ray.put(item).get(), item);
                check(ray.put(List.of(item)).get().get(0), item);
            }
            Thread.currentThread().setContextClassLoader(Main.class.getClassLoader());
            return new WeakReference<>(loader);
        }

        private static void check(Object got, Object expected) {
            if (got.getClass() != expected.getClass() || !got.toString().equals(expected.toString())) {
                throw new AssertionError(got + " of " + got.getClass());
            }
        }
    }
}
