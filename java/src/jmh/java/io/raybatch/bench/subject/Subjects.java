package io.raybatch.bench.subject;

import java.util.Objects;
import java.util.ServiceLoader;

/** All subjects by name. */
public final class Subjects {

    private Subjects() {}

    /**
     * Makes a subject for warm memory: what is released stays with it.
     *
     * @param name as the rows have it
     * @return to be closed
     */
    public static Subject of(String name) {
        return switch (name) {
            case "raybatch-direct" -> RaybatchSubject.direct();
            case "raybatch-jni" -> RaybatchSubject.jni();
            case "heap" -> new HeapSubject();
            case "netty" -> new NettySubject();
            case "arrow" -> new ArrowSubject();
            case "ohc" -> new OhcSubject();
            case "chronicle-map" -> new ChronicleMapSubject();
            case "caffeine" -> new CaffeineSubject();
            case "memcpy" -> new MemcpySubject(false);
            default -> ServiceLoader.load(SubjectProvider.class).stream()
                    .map(provider -> provider.get().subject(name))
                    .filter(Objects::nonNull)
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("no subject is named " + name + " on this JDK"));
        };
    }

    /**
     * Makes a subject whose memory nobody has touched yet.
     *
     * @param name as the rows have it
     * @return to be closed
     */
    public static Subject cold(String name) {
        return name.equals("memcpy") ? new MemcpySubject(true) : of(name);
    }
}
