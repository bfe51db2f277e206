package io.raybatch;

import java.time.Duration;

/**
 * A batch that has tasks ready to run, for a {@link SchedulingPolicy} to choose from.
 *
 * @param id the batch; 0 for normal mode
 * @param priority as given when it was started
 * @param ready tasks that could run now
 * @param running tasks that run
 * @param waiting how long the first of the ready ones has been ready
 */
public record BatchLoad(long id, int priority, long ready, long running, Duration waiting) {}
