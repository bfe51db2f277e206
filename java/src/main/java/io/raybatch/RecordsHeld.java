package io.raybatch;

import java.time.Instant;
import java.util.Optional;

/**
 * Why a batch's task records stand, although the batch is collected or could be: a live batch may need to have its tasks run
 * again.
 *
 * @param batchId the batch that depends on it
 * @param actor the actor through which it does; empty for an object
 * @param since when it arose
 * @param reason how
 */
public record RecordsHeld(long batchId, Optional<String> actor, Instant since, Reason reason) {

    /** How one batch comes to depend on another. */
    public enum Reason {
        /** A task took an object that the other had not given away. */
        OBJECT,
        /** A task ran on an actor right after one of the other, with no checkpoint between them. */
        ACTOR_STATE,
        /** It owns an actor whose state comes from a task of the other since its last checkpoint. */
        OWNED_ACTOR
    }

    private static final Reason[] REASONS = Reason.values();

    /** From what {@link Native#taskStatus} has at {@code at}. */
    static RecordsHeld of(long[] figures, int at, String name) {
        long actor = figures[at + 1];
        return new RecordsHeld(
                figures[at],
                actor == 0 ? Optional.empty() : Optional.of(name == null ? "actor " + actor : name),
                Instant.ofEpochMilli(figures[at + 2]),
                REASONS[Math.toIntExact(figures[at + 3]) - 1]);
    }
}
