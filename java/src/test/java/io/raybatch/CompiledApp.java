package io.raybatch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.tools.ToolProvider;

/** An application that is nowhere on the class path: compiled by a test, and loaded by as many loaders as it likes. */
final class CompiledApp {

    private static final String SOURCE = """
            package app;

            import java.util.List;
            import java.util.function.Supplier;

            public class Item {
                public int n = 7;
                public List<Part> parts = List.of(new Part("a", Size.LARGE), new Part(null, Size.SMALL));

                record Part(String name, Size size) {}

                enum Size { SMALL, LARGE { @Override int rank() { return 2; } }; int rank() { return 1; } }

                @Override
                public String toString() {
                    // not the record's own: JDK 17 keeps the last class that it wrote so
                    return n + " " + parts.size() + parts.get(0).name + parts.get(0).size.rank();
                }
            }
            """;

    private CompiledApp() {}

    /** Compiles it. */
    static Path into(Path folder) throws IOException {
        Path source = Files.createDirectories(folder.resolve("app")).resolve("Item.java");
        Files.writeString(source, SOURCE);
        int failed = ToolProvider.getSystemJavaCompiler().run(null, null, null, "-proc:none", "-d", folder.toString(), source.toString());
        if (failed != 0) {
            throw new IOException("javac refused " + List.of(source));
        }
        return folder;
    }
}
