package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.stream.Collectors;
import jdk.jfr.Recording;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** An application is undeployed: nothing of raybatch's keeps its class loader reachable, and no thread goes on. */
@Timeout(60)
class LoaderTest {

    static final String RESULT = "order[1, 2]text7427UnsupportedOperationException";

    /** The threads of Flight Recorder, which take over the context class loader of the first to record, are begun by this one. */
    @BeforeAll
    static void recordOnce() {
        try (Recording recording = new Recording()) {
            recording.start();
        }
    }

    /** Uses raybatch in a loader of its own, and forgets all of that. */
    static WeakReference<ClassLoader> use(List<Path> path, String main, ExecutorService pool) throws Exception {
        List<URL> urls = new ArrayList<>();
        for (Path one : path) {
            urls.add(one.toUri().toURL());
        }
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        URLClassLoader loader = new URLClassLoader(urls.toArray(URL[]::new), ClassLoader.getPlatformClassLoader());
        try {
            thread.setContextClassLoader(loader);
            @SuppressWarnings("unchecked")
            Function<ExecutorService, String> program =
                    (Function<ExecutorService, String>) loader.loadClass(main).getDeclaredConstructor().newInstance();
            assertThat(program.getClass().getClassLoader()).isSameAs(loader);
            assertThat(program.apply(pool)).isEqualTo(RESULT + " " + RESULT);
        } finally {
            thread.setContextClassLoader(before);
            loader.close();
        }
        return new WeakReference<>(loader);
    }

    /** True once it is collected. */
    static boolean isCollected(WeakReference<ClassLoader> loader) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (loader.get() != null && System.nanoTime() < end) {
            System.gc();
            TimeUnit.MILLISECONDS.sleep(50);
        }
        return loader.get() == null;
    }

    private static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("raybatch") || thread.getName().startsWith("fory"))
                .collect(Collectors.toSet());
    }

    @Test
    void the_class_loader_is_collected_after_close_though_a_pool_thread_goes_on() throws Exception {
        Set<Thread> before = threads();
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            // the thread is the pool's, and not begun by the program
            pool.submit(() -> {}).get();
            WeakReference<ClassLoader> loader =
                    use(List.of(Program.JAR, Program.fory(), Program.testClasses()), LoadedProgram.class.getName(), pool);
            assertThat(isCollected(loader)).as("the class loader is collected").isTrue();
            Set<Thread> after = threads();
            after.removeAll(before);
            assertThat(after).isEmpty();
        } finally {
            pool.shutdown();
        }
    }

    @Test
    void each_of_many_deployments_is_collected() throws Exception {
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            pool.submit(() -> {}).get();
            List<WeakReference<ClassLoader>> loaders = new ArrayList<>();
            for (int n = 0; n < 3; n++) {
                loaders.add(use(List.of(Program.JAR, Program.fory(), Program.testClasses()), LoadedProgram.class.getName(), pool));
            }
            for (WeakReference<ClassLoader> loader : loaders) {
                assertThat(isCollected(loader)).isTrue();
            }
        } finally {
            pool.shutdown();
        }
    }
}
