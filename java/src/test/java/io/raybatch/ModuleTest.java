package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.spi.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A program that is a module, on the module path and in an image of its own: as on the class path. */
@Timeout(120)
class ModuleTest {

    private static final String MODULE = """
            module app {
                requires io.raybatch;
                requires jdk.jfr;
                exports app;
            }
            """;

    @TempDir
    Path folder;

    private static String tool(String name, String... arguments) {
        StringWriter text = new StringWriter();
        PrintWriter out = new PrintWriter(text);
        int status = ToolProvider.findFirst(name).orElseThrow().run(out, out, arguments);
        assertThat(status).as(name + ": " + text).isZero();
        return text.toString();
    }

    /** {@link LoadedProgram} as a module: the same source in another package. */
    private Path app() throws Exception {
        Path source = StoreTest.project().resolve("java/src/test/java/io/raybatch/LoadedProgram.java");
        String text = Files.readString(source).replace("package io.raybatch;", "package app;\nimport io.raybatch.*;");
        Path sources = Files.createDirectories(folder.resolve("src/app"));
        Files.writeString(sources.resolve("LoadedProgram.java"), text);
        Files.writeString(folder.resolve("src/module-info.java"), MODULE);
        Path app = folder.resolve("app");
        tool("javac", "-encoding", "UTF-8", "-d", app.toString(), "--module-path", Program.JAR + File.pathSeparator + Program.fory(),
                folder.resolve("src/module-info.java").toString(), sources.resolve("LoadedProgram.java").toString());
        return app;
    }

    @Test
    void it_works_on_the_module_path_and_in_a_jlink_image() throws Exception {
        String path = String.join(File.pathSeparator, app().toString(), Program.JAR.toString(), Program.fory().toString());
        Program program = new Program().onlyModules().with("--enable-native-access=io.raybatch");
        Program.Ended onPath = program.run("--module-path " + path + " -m app/app.LoadedProgram");
        assertThat(onPath.output()).contains(LoaderTest.RESULT + " " + LoaderTest.RESULT);
        assertThat(onPath.status()).isZero();

        Path image = folder.resolve("image");
        tool("jlink", "--module-path", path, "--add-modules", "app", "--strip-debug", "--no-header-files", "--no-man-pages",
                "--output", image.toString());
        Program.Ended inImage = program.run(program.command(image.resolve("bin/java"), "-m app/app.LoadedProgram"));
        assertThat(inImage.output()).contains(LoaderTest.RESULT + " " + LoaderTest.RESULT).doesNotContain("WARNING: sun.misc");
        assertThat(inImage.status()).isZero();
    }
}
