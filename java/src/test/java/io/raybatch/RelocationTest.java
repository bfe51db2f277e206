package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Enumeration;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.commons.ClassRemapper;
import org.objectweb.asm.commons.Remapper;

/** The jar as a part of another one, its packages renamed as tools do that shade a jar. */
@Tag("slow") // twenty times as long while the JVM checks each use of JNI
@Timeout(60)
class RelocationTest {

    private static final String FROM = "io/raybatch/";
    private static final String TO = "com/example/shaded/ray/";

    private static final Remapper RENAMED = new Remapper(Opcodes.ASM9) {
        @Override
        public String map(String name) {
            return name.startsWith(FROM) ? TO + name.substring(FROM.length()) : name;
        }

        /** Tools rename what looks like a class or a path in text, too. */
        @Override
        public Object mapValue(Object value) {
            if (value instanceof String text && text.startsWith(FROM)) {
                return map(text);
            }
            if (value instanceof String text && text.startsWith("io.raybatch.")) {
                return map(text.replace('.', '/')).replace('/', '.');
            }
            return super.mapValue(value);
        }
    };

    @BeforeAll
    static void recordOnce() {
        LoaderTest.recordOnce();
    }

    /** Some tools move files that are no classes as well, others leave them. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void a_relocated_jar_works_as_it_does_otherwise(boolean moveResources, @TempDir Path folder) throws Exception {
        Path jar = folder.resolve("shaded.jar");
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar)); JarFile in = new JarFile(Program.JAR.toFile())) {
            for (Enumeration<JarEntry> all = in.entries(); all.hasMoreElements();) {
                JarEntry entry = all.nextElement();
                try (InputStream bytes = in.getInputStream(entry)) {
                    copy(entry.getName(), bytes, out, moveResources);
                }
            }
            Path tests = Program.testClasses().resolve(FROM);
            try (var classes = Files.newDirectoryStream(tests, "LoadedProgram*.class")) {
                for (Path one : classes) {
                    try (InputStream bytes = Files.newInputStream(one)) {
                        copy(FROM + one.getFileName(), bytes, out, moveResources);
                    }
                }
            }
        }
        ExecutorService pool = Executors.newSingleThreadExecutor();
        try {
            pool.submit(() -> {}).get();
            WeakReference<ClassLoader> loader =
                    LoaderTest.use(List.of(jar, Program.fory()), "com.example.shaded.ray.LoadedProgram", pool);
            assertThat(LoaderTest.isCollected(loader)).isTrue();
        } finally {
            pool.shutdown();
        }
    }

    private static void copy(String name, InputStream in, OutputStream to, boolean moveResources) throws IOException {
        JarOutputStream out = (JarOutputStream) to;
        if (name.equals("module-info.class") || name.endsWith("/") || name.startsWith("META-INF/")) {
            return;
        }
        boolean isClass = name.endsWith(".class");
        out.putNextEntry(new JarEntry(isClass || moveResources ? RENAMED.map(name) : name));
        byte[] bytes = in.readAllBytes();
        if (isClass) {
            ClassWriter writer = new ClassWriter(0);
            new ClassReader(bytes).accept(new ClassRemapper(writer, RENAMED), 0);
            bytes = writer.toByteArray();
        }
        out.write(bytes);
        out.closeEntry();
    }
}
