package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.raybatch.LoaderApp.Color;
import io.raybatch.LoaderApp.Item;
import io.raybatch.LoaderApp.Maker;
import io.raybatch.LoaderApp.Trouble;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Which class a value has that is got, where there are several class loaders. */
@Timeout(120)
class LoaderValuesTest extends StoreTest {

    /** Has classes of its own, as each of two applications does that share raybatch. */
    private static final class Application extends ClassLoader {

        Application(ClassLoader parent) {
            super(parent);
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                if (!name.startsWith("io.raybatch.LoaderApp") && !name.startsWith("io.raybatch.CorpusC")
                        && !name.startsWith("io.raybatch.Kind")) {
                    return super.loadClass(name, resolve);
                }
                Class<?> known = findLoadedClass(name);
                return known != null ? known : define(name);
            }
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (InputStream in = LoaderValuesTest.class.getClassLoader().getResourceAsStream(name.replace('.', '/') + ".class")) {
                if (in == null) {
                    throw new ClassNotFoundException(name);
                }
                byte[] bytes = in.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }

        @SuppressWarnings("unchecked")
        Object item() throws ReflectiveOperationException {
            var constructor = loadClass(Maker.class.getName()).getDeclaredConstructor();
            constructor.setAccessible(true);
            return ((Supplier<Object>) constructor.newInstance()).get();
        }
    }

    private static Application application() {
        return new Application(LoaderValuesTest.class.getClassLoader());
    }

    private static <T> T with(ClassLoader context, Callable<T> work) throws Exception {
        Thread thread = Thread.currentThread();
        ClassLoader before = thread.getContextClassLoader();
        thread.setContextClassLoader(context);
        try {
            return work.call();
        } finally {
            thread.setContextClassLoader(before);
        }
    }

    @Test
    void an_enum_is_itself_whatever_loader_was_current_at_the_first_use() throws Exception {
        ClassLoader platform = ClassLoader.getPlatformClassLoader();
        for (ClassLoader context : new ClassLoader[] {platform, null, ClassLoader.getSystemClassLoader(), platform}) {
            Color got = with(context, () -> ray.put(Color.RED).get());
            assertThat(got).isSameAs(Color.RED);
            assertThat(with(context, () -> ray.put(new Item(1, Color.GREEN)).get())).isEqualTo(new Item(1, Color.GREEN));
        }
        assertThat(ray.put(Color.RED).get()).isSameAs(Color.RED);
    }

    @Test
    void two_applications_of_one_store_have_each_its_own_class() throws Exception {
        for (int n = 0; n < 4; n++) {
            Application one = application();
            Object item = one.item();
            Object got = with(one, () -> ray.put(item).get());
            assertThat(got).isEqualTo(item).hasSameClassAs(item);
            List<Object> list = with(one, () -> ray.put(List.of(item)).get());
            assertThat(list.get(0)).isEqualTo(item);
        }
    }

    @Test
    void the_reader_decides() throws Exception {
        Application writer = application();
        Application reader = application();
        Object item = writer.item();
        ObjectRef<Object> ref = with(writer, () -> ray.put(item));
        Object got = with(reader, ref::get);
        assertThat(got.getClass()).isSameAs(reader.loadClass(Item.class.getName()));
        assertThat(got).hasToString(item.toString());
        assertThat(ref.get().getClass()).as("a test's own context").isSameAs(Item.class);
        Object again = with(writer, ref::get);
        assertThat(again).isEqualTo(item);
        List<Class<?>> staged = new ArrayList<>();
        with(reader, () -> ref.stage().toCompletableFuture().thenAccept(value -> staged.add(value.getClass())).get());
        assertThat(staged.get(0).getClassLoader()).isSameAs(reader);
    }

    @Test
    void where_the_reader_does_not_know_the_class_it_is_the_writers() throws Exception {
        Application writer = application();
        Object item = writer.item();
        ClassLoader stranger = new ClassLoader(ClassLoader.getPlatformClassLoader()) {};
        // as in a common pool's thread: the test's class of that name is found by raybatch's own loader, unless the value says whose it is
        for (Object value : List.of(item, List.of(item), Map.of("k", item), new Object[] {item})) {
            ObjectRef<Object> ref = with(writer, () -> ray.put(value));
            Object got = with(writer, ref::get);
            assertThat(got).usingRecursiveComparison().isEqualTo(value);
        }
        Hidden hidden = new Hidden();
        Object secret = hidden.loadClass("io.raybatch.hidden.Only").getDeclaredConstructor().newInstance();
        for (ClassLoader context : new ClassLoader[] {stranger, hidden, null, getClass().getClassLoader()}) {
            assertThat(with(context, () -> ray.put(secret).get())).hasSameClassAs(secret);
            assertThat(with(context, () -> ray.put(List.of(secret)).get()).get(0)).hasSameClassAs(secret);
        }
    }

    /** Has a class that no other loader has. */
    private static final class Hidden extends ClassLoader {

        Hidden() {
            super(LoaderValuesTest.class.getClassLoader());
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            if (!name.equals("io.raybatch.hidden.Only")) {
                throw new ClassNotFoundException(name);
            }
            byte[] bytes = EmptyClass.named("io/raybatch/hidden/Only");
            return defineClass(name, bytes, 0, bytes.length);
        }
    }

    @Test
    void two_classes_of_one_name_in_one_value_are_refused() throws Exception {
        Object one = application().item();
        Object two = application().item();
        assertThatThrownBy(() -> ray.put(List.of(one, two)))
                .isInstanceOf(SerializationException.class)
                .hasMessageContaining(Item.class.getName())
                .hasMessageContaining("another class of that name");
    }

    @Test
    void a_task_has_arguments_of_its_own_applications_classes() throws Exception {
        Application one = application();
        Object item = one.item();
        Object[] both = with(one, () -> {
            ObjectRef<Object> ref = ray.put(item);
            return new Object[] {ref, ref.get()};
        });
        assertThat(both[1]).isEqualTo(item);
        // this function is of the test's loader: so are the classes that it gets
        @SuppressWarnings("unchecked")
        ObjectRef<Item> ref = (ObjectRef<Item>) both[0];
        assertThat(ray.task((Item value) -> value.n(), ref).remote().get()).isEqualTo(7);
    }

    @Test
    void a_failure_has_the_readers_class() throws Exception {
        ObjectRef<Object> failed = ray.task(() -> {
            throw new Trouble();
        }).remote();
        for (ClassLoader context : new ClassLoader[] {getClass().getClassLoader(), null, ClassLoader.getPlatformClassLoader()}) {
            assertThatThrownBy(() -> with(context, failed::get))
                    .isInstanceOf(TaskException.class)
                    .hasCauseInstanceOf(Trouble.class);
        }
        Application reader = application();
        assertThatThrownBy(() -> with(reader, failed::get))
                .isInstanceOf(TaskException.class)
                .satisfies(e -> assertThat(e.getCause().getClass().getClassLoader()).isSameAs(reader));
    }

    @Test
    void a_class_that_nobody_has_is_an_error_and_no_stand_in() throws Exception {
        byte[] bytes = Serializer.fory().serialize(new Hidden().loadClass("io.raybatch.hidden.Only").getDeclaredConstructor().newInstance());
        // as from another process, where loaders have other numbers
        java.util.Arrays.fill(bytes, 2, 10, (byte) 7);
        reopen(config -> config.serializer(new Serializer() {
            @Override
            public byte[] serialize(Object value) {
                return bytes;
            }

            @Override
            public Object deserialize(byte[] read) throws Exception {
                return Serializer.fory().deserialize(read);
            }
        }));
        assertThatThrownBy(() -> ray.put(1).get())
                .isInstanceOf(SerializationException.class)
                .hasMessageContaining("io.raybatch.hidden.Only");
    }

    @Test
    void a_value_that_a_thread_of_another_context_put_or_gets() throws Exception {
        Hidden hidden = new Hidden();
        Object secret = hidden.loadClass("io.raybatch.hidden.Only").getDeclaredConstructor().newInstance();
        ObjectRef<Object> ref = with(hidden, () -> ray.put(secret));
        ObjectRef<List<Object>> list = with(hidden, () -> ray.put(List.of(secret)));
        for (ClassLoader context : new ClassLoader[] {null, ClassLoader.getPlatformClassLoader(), getClass().getClassLoader()}) {
            Object got = with(context, ref::get);
            assertThat(got).hasSameClassAs(secret);
            assertThat(with(context, list::get).get(0)).hasSameClassAs(secret);
        }
    }

    @Test
    void an_application_that_was_loaded_again_has_its_new_class(@TempDir Path folder) throws Exception {
        CompiledApp.into(folder);
        ClassLoader web = new ClassLoader(getClass().getClassLoader()) {};
        for (int n = 0; n < 3; n++) {
            ClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()}, web);
            Object item = loader.loadClass("app.Item").getConstructor().newInstance();
            Object got = with(loader, () -> ray.put(item).get());
            assertThat(got).hasSameClassAs(item).hasToString(item.toString());
        }
    }

    @TestFactory
    Stream<DynamicTest> each_kind_comes_back_in_a_second_loader() throws Exception {
        Application application = application();
        Class<?> classes = application.loadClass(CorpusClasses.class.getName());
        var all = classes.getDeclaredMethod("all");
        all.setAccessible(true);
        List<?> foreign = (List<?>) all.invoke(null);
        List<Kind> own = CorpusClasses.all();
        return java.util.stream.IntStream.range(0, own.size()).mapToObj(n -> DynamicTest.dynamicTest(
                own.get(n).name(), () -> check(application, foreign.get(n), own.get(n))));
    }

    /** The kinds of the application are of a class {@code Kind} of its own. */
    @SuppressWarnings("unchecked")
    private void check(Application application, Object foreign, Kind own) throws Exception {
        Class<?> type = foreign.getClass();
        var value = type.getDeclaredMethod("value");
        var same = type.getDeclaredMethod("same", Object.class, Object.class);
        value.setAccessible(true);
        same.setAccessible(true);
        Supplier<Object> maker = (Supplier<Object>) value.invoke(foreign);
        if (own.refusal() != null) {
            assertThatThrownBy(() -> with(application, () -> ray.put(maker.get()))).isInstanceOf(SerializationException.class);
            return;
        }
        // both loaders in turn, through the same store
        Object got = with(application, () -> ray.put(maker.get()).get());
        assertThat((boolean) same.invoke(foreign, maker.get(), got)).as(own.name()).isTrue();
        assertThat(own.same(own.value().get(), ray.put(own.value().get()).get())).as("%s of the test", own.name()).isTrue();
        Object inList = with(application, () -> ray.put(new ArrayList<>(List.of(maker.get()))).get().get(0));
        assertThat((boolean) same.invoke(foreign, maker.get(), inList)).as("%s in a list", own.name()).isTrue();
    }
}
