package io.raybatch;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.apache.fory.Fory;
import org.apache.fory.resolver.SharedRegistry;

/**
 * Instances of Fory that find classes by one chain of loaders: as many as are used at once. They share the code that is generated
 * for classes. Each class that one of them knows is what the chain finds by its name.
 */
final class ForyPool {

    private final ValueLoader loader;
    private final SharedRegistry shared = new SharedRegistry();
    private final BiFunction<ForyPool, SharedRegistry, Fory> maker;
    private final ConcurrentLinkedQueue<Fory> idle = new ConcurrentLinkedQueue<>();

    ForyPool(ValueLoader loader, BiFunction<ForyPool, SharedRegistry, Fory> maker) {
        this.loader = loader;
        this.maker = maker;
    }

    ValueLoader loader() {
        return loader;
    }

    /** One for the caller alone, until it gives it back. */
    Fory take() {
        Fory ready = idle.poll();
        return ready != null ? ready : maker.apply(this, shared);
    }

    /** A part of a value that another way of writing leaves to Fory. */
    byte[] writePart(Object part) {
        return withAnother(fory -> fory.serialize(part));
    }

    Object readPart(byte[] bytes) {
        return withAnother(fory -> fory.deserialize(bytes));
    }

    private <T> T withAnother(Function<Fory, T> work) {
        Fory fory = take();
        T done = work.apply(fory);
        give(fory);
        return done;
    }

    /** Not one in which an error was thrown: it may be in any state. */
    void give(Fory fory) {
        idle.offer(fory);
    }
}
