package io.raybatch;

import java.util.List;

/**
 * Which batch's tasks run next, instead of the order of priorities and, within one, of turns. Called by one worker at a time,
 * each time that one looks for work: it should return within microseconds, and must not call raybatch.
 */
@FunctionalInterface
public interface SchedulingPolicy {

    /**
     * Chooses.
     *
     * @param ready the batches that have tasks ready to run, at least one
     * @return one of them; null to leave it to raybatch. So it is, too, when this throws, or returns another one: that is logged,
     *     once
     */
    BatchLoad choose(List<BatchLoad> ready);
}
