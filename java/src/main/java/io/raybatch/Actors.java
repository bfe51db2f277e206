package io.raybatch;

import java.lang.ref.Reference;
import java.util.List;

/** What a client does with actors. */
final class Actors {

    private final RayApi ray;

    Actors(RayApi ray) {
        this.ray = ray;
    }

    private Engine engine() {
        return ray.tasks().engine();
    }

    <A> ActorHandle<A> create(ActorCreator<A> call) {
        return call.scope() != null
                ? engine().create(call.scope(), call)
                : ray.inCurrent(scope -> engine().create(scope, call));
    }

    ObjectRef<Void> checkpoint(ActorHandle<?> actor) {
        return ray.inCurrent(scope -> ray.refOf(scope, Slots.pack(engine().checkpoint(scope, actor), 0), false));
    }

    void cancel(ActorHandle<?> actor) {
        TaskContext.checked();
        engine().cancel(actor);
    }

    void kill(ActorHandle<?> actor, boolean forGood) {
        TaskContext.checked();
        engine().kill(actor, forGood);
    }

    /** Has the batch around a batch own its actors. */
    void keep(BatchScope from, List<? extends ActorHandle<?>> actors) {
        if (actors.isEmpty()) {
            return;
        }
        int[] numbers = new int[actors.size()];
        for (int n = 0; n < numbers.length; n++) {
            numbers[n] = Checks.notNull("an actor", actors.get(n)).number();
        }
        engine().keep(ray, numbers, from, 0, 0);
        for (ActorHandle<?> actor : actors) {
            actor.ownedBy(from.parent());
        }
        Reference.reachabilityFence(from);
    }
}
