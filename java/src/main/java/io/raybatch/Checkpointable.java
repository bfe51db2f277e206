package io.raybatch;

/**
 * An actor whose state can be saved, so that it is rebuilt from there when its instance is lost, and only what came after is
 * run again. Both methods are called between the actor's tasks, by one thread at a time.
 *
 * @param <S> type of the state: anything that can be put
 */
public interface Checkpointable<S> {

    /**
     * Tells the state. It is written down before the actor's next task.
     *
     * @return all that {@link #restore} needs; null if there is nothing
     * @throws Exception fails the checkpoint; the actor lives on
     */
    S save() throws Exception;

    /**
     * Takes a state over, in an instance that was just constructed.
     *
     * @param state a copy of what {@link #save} returned
     * @throws Exception the actor cannot be rebuilt, and dies
     */
    void restore(S state) throws Exception;
}
