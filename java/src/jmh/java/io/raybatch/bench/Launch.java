package io.raybatch.bench;

import java.util.ArrayList;
import java.util.List;

/** How the JVM of a row is started: the same for all but for what a subject's documentation demands. */
final class Launch {

    /** Named in the results. The heap's rows depend on it; the others live with it. */
    static final List<String> HEAP = List.of("-Xms3g", "-Xmx3g", "-XX:+AlwaysPreTouch", "-XX:+UseG1GC");

    private static final int UNSAFE_WARNS_FROM = 23;

    /** As Chronicle's page on Java 17 has it; and no call home. */
    private static final List<String> CHRONICLE = List.of(
            "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
            "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
            "--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED",
            "--add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED",
            "--add-opens=jdk.compiler/com.sun.tools.javac=ALL-UNNAMED",
            "--add-opens=java.base/java.lang=ALL-UNNAMED",
            "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
            "--add-opens=java.base/java.io=ALL-UNNAMED",
            "--add-opens=java.base/java.util=ALL-UNNAMED",
            "-Dchronicle.analytics.disable=true",
            "-Dchronicle.announcer.disable=true");

    private Launch() {}

    static List<String> flags(Row row, Jdk jdk) {
        List<String> flags = new ArrayList<>(HEAP);
        flags.add("--enable-native-access=ALL-UNNAMED");
        flags.add("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
        if (jdk.feature() >= UNSAFE_WARNS_FROM) {
            flags.add("--sun-misc-unsafe-memory-access=allow"); // JMH's own use, and Fory's
        }
        switch (row.subject()) {
            case "netty" -> flags.add("-Dio.netty.leakDetection.level=disabled");
            case "arrow" -> flags.add("--add-opens=java.base/java.nio=ALL-UNNAMED"); // its documentation
            case "ohc" -> flags.add("--add-exports=java.base/sun.nio.ch=ALL-UNNAMED"); // its chunks
            case "chronicle-map" -> flags.addAll(CHRONICLE);
            default -> { }
        }
        return flags;
    }
}
