package io.raybatch.bench;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the rows were measured on. */
final class Machine {

    private static final List<String> MEASURED =
            List.of("jmh-core", "netty-buffer", "arrow-memory-core", "ohc-core", "chronicle-map", "caffeine");
    private static final Pattern JAR = Pattern.compile("(.+?)-(\\d.*)\\.jar");

    private Machine() {}

    static Map<String, Object> facts() throws IOException {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("os", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        facts.put("arch", System.getProperty("os.arch"));
        facts.put("cpu", first(Path.of("/proc/cpuinfo"), "model name\\s*:\\s*(.*)"));
        facts.put("cores", Runtime.getRuntime().availableProcessors());
        facts.put("memory_kib", first(Path.of("/proc/meminfo"), "MemTotal:\\s*(\\d+).*"));
        facts.put("shmem_huge_pages", first(Path.of("/sys/kernel/mm/transparent_hugepage/shmem_enabled"), ".*\\[(.*)\\].*"));
        facts.put("load_at_the_end", first(Path.of("/proc/loadavg"), "(\\S+) .*"));
        return facts;
    }

    /** Of the JDKs, of the heap's rows' flags, and of the libraries, by the names of their jars. */
    static Map<String, Object> versions(Jdk newer) {
        Map<String, Object> versions = new LinkedHashMap<>();
        versions.put("jdk", Jdk.own().version().toString());
        if (newer != null) {
            versions.put("newer_jdk", newer.version().toString());
        }
        versions.put("jvm_flags", String.join(" ", Launch.HEAP));
        versions.put("raybatch", System.getProperty("raybatch.bench.version", "unknown"));
        for (String path : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Matcher jar = JAR.matcher(Path.of(path).getFileName().toString());
            if (jar.matches() && MEASURED.contains(jar.group(1))) {
                versions.put(jar.group(1), jar.group(2));
            }
        }
        return versions;
    }

    private static String first(Path file, String pattern) throws IOException {
        if (!Files.isReadable(file)) {
            return "unknown";
        }
        Pattern wanted = Pattern.compile(pattern);
        return Files.readAllLines(file).stream()
                .map(wanted::matcher)
                .filter(Matcher::matches)
                .map(found -> found.group(1))
                .findFirst()
                .orElse("unknown");
    }
}
