package io.raybatch;

import java.time.Instant;
import java.util.Optional;

/**
 * Why a batch's task records stand, although the batch is collected: another batch may need to have its tasks run again.
 *
 * @param batchId the batch that depends on it
 * @param live false if that one is collected as well, and held itself
 * @param actor the actor through which it does; empty for an object
 * @param since when it arose
 */
public record RecordsHeld(long batchId, boolean live, Optional<String> actor, Instant since) {

    /** Figures in what {@link Native#taskStatus} has for each. */
    static final int FIGURES = 4;

    static RecordsHeld of(long[] figures, int at, String actor) {
        return new RecordsHeld(
                figures[at],
                figures[at + 3] != 0,
                figures[at + 1] == 0 ? Optional.empty() : Optional.of(actor),
                Instant.ofEpochMilli(figures[at + 2]));
    }
}
