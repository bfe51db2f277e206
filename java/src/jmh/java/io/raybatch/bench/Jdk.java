package io.raybatch.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Properties;

/**
 * A JDK to run rows on.
 *
 * @param home its folder
 * @param version as it names itself
 */
record Jdk(Path home, Runtime.Version version) {

    static Jdk own() {
        return new Jdk(Path.of(System.getProperty("java.home")), Runtime.version());
    }

    static Jdk at(Path home) throws IOException {
        Properties release = new Properties();
        try (var in = Files.newBufferedReader(home.resolve("release"))) {
            release.load(in);
        }
        String version = release.getProperty("JAVA_RUNTIME_VERSION", release.getProperty("JAVA_VERSION"));
        return new Jdk(home, Runtime.Version.parse(version.replace("\"", "").replaceFirst("-LTS$", "")));
    }

    int feature() {
        return version.feature();
    }

    String java() {
        return home.resolve("bin").resolve("java").toString();
    }
}
