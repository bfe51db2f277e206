package io.raybatch;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BiFunction;
import org.apache.fory.Fory;
import org.apache.fory.resolver.SharedRegistry;

/**
 * Instances of Fory that find classes by one chain of loaders: as many as are used at once. They share the code that is generated
 * for classes. Each class that one of them knows is what the chain finds by its name.
 */
final class ForyPool {

    private final ValueLoader loader;
    private final SharedRegistry shared = new SharedRegistry();
    private final BiFunction<ValueLoader, SharedRegistry, Fory> maker;
    private final ConcurrentLinkedQueue<Fory> idle = new ConcurrentLinkedQueue<>();

    ForyPool(ValueLoader loader, BiFunction<ValueLoader, SharedRegistry, Fory> maker) {
        this.loader = loader;
        this.maker = maker;
    }

    ValueLoader loader() {
        return loader;
    }

    /** One for the caller alone, until it gives it back. */
    Fory take() {
        Fory ready = idle.poll();
        return ready != null ? ready : maker.apply(loader, shared);
    }

    /** Not one in which an error was thrown: it may be in any state. */
    void give(Fory fory) {
        idle.offer(fory);
    }
}
