package io.raybatch.bench.subject;

import java.util.concurrent.ExecutionException;

/** Who runs tasks that do nothing, on as many threads as there are processors. One thread submits. */
public interface TaskSubject extends AutoCloseable {

    /**
     * Makes the subject of a name.
     *
     * @param name {@code raybatch-direct}, {@code fork-join-pool} or {@code completable-future}
     * @return to be closed
     */
    static TaskSubject of(String name) {
        return switch (name) {
            case "raybatch-direct" -> new RaybatchTasks();
            case "fork-join-pool" -> new PoolTasks(false);
            case "completable-future" -> new PoolTasks(true);
            default -> throw new IllegalArgumentException("nobody who runs tasks is named " + name);
        };
    }

    /**
     * Begins a request.
     *
     * @param count the most tasks of it
     */
    void begin(int count);

    /**
     * Submits a task and waits for its result.
     *
     * @return the result
     * @throws InterruptedException when the thread is interrupted
     * @throws ExecutionException when the task failed
     */
    int roundTrip() throws InterruptedException, ExecutionException;

    /**
     * Submits tasks, then waits for the result of each.
     *
     * @param count of tasks
     * @return the sum of the results
     * @throws InterruptedException when the thread is interrupted
     * @throws ExecutionException when a task failed
     */
    long runAll(int count) throws InterruptedException, ExecutionException;

    /** Ends the request. */
    void releaseAll();

    @Override
    void close();
}
