package io.raybatch.bench.arena;

import io.raybatch.bench.subject.Subject;
import io.raybatch.bench.subject.SubjectProvider;
import java.lang.foreign.Arena;

/** Arenas that any thread may use, and those of one thread. */
public final class ArenaSubjects implements SubjectProvider {

    /** For {@link java.util.ServiceLoader}. */
    public ArenaSubjects() {}

    @Override
    public Subject subject(String name) {
        return switch (name) {
            case "arena-shared" -> new ArenaSubject(Arena::ofShared);
            case "arena-confined" -> new ArenaSubject(Arena::ofConfined);
            default -> null;
        };
    }
}
