package io.raybatch;

/** Where the generated overloads of {@code task} and {@code actor} meet. */
final class Calls {

    /** No arguments. */
    static final Object[] NONE = {};

    private Calls() {}

    static <R> TaskCaller<R> task(TaskCalls where, Object function, Object[] arguments) {
        return new TaskCaller<>(rayOf(where), scopeOf(where), null, function, arguments);
    }

    static <A> ActorCreator<A> actor(TaskCalls where, Object constructor, Object[] arguments) {
        return new ActorCreator<>(rayOf(where), scopeOf(where), constructor, arguments);
    }

    static <R> TaskCaller<R> actorTask(ActorTaskCalls<?> where, Object method, Object[] arguments) {
        ActorHandle<?> actor = (ActorHandle<?>) where;
        return new TaskCaller<>(actor.ray(), null, actor, method, arguments);
    }

    private static RayApi rayOf(TaskCalls where) {
        return where instanceof Batch batch ? batch.scope().ray() : (RayApi) where;
    }

    /** Null for the batch that is current. */
    private static BatchScope scopeOf(TaskCalls where) {
        if (where instanceof Batch batch) {
            batch.scope().used();
            return batch.scope();
        }
        return null;
    }
}
