package io.raybatch;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.BiFunction;
import java.util.function.Function;
import org.apache.fory.Fory;
import org.apache.fory.resolver.SharedRegistry;

/**
 * Instances of Fory that find classes by one chain of loaders: as many as are used at once. They share the code that is generated
 * for classes. Each class that one of them knows is what the chain finds by its name.
 */
final class ForyPool {

    private static final int STRIPES = 16;
    private static final int STRIPE_SHIFT = 4;

    private final ValueLoader loader;
    /** Whether Fory generates code for classes, or reads them as they are. */
    private volatile boolean generates = true;
    /** A class was met that may go away with its loader. */
    private volatile boolean hasMet;
    private final long[] numbers;
    private volatile SharedRegistry shared = new SharedRegistry();
    private final BiFunction<ForyPool, SharedRegistry, Fory> maker;
    /** Where a thread looks first, a cache line apart. */
    private final AtomicReferenceArray<Fory> near = new AtomicReferenceArray<>(STRIPES << STRIPE_SHIFT);
    private final ConcurrentLinkedQueue<Fory> idle = new ConcurrentLinkedQueue<>();

    ForyPool(ValueLoader loader, BiFunction<ForyPool, SharedRegistry, Fory> maker) {
        this.loader = loader;
        this.numbers = loader.numbers();
        this.maker = maker;
    }

    /** As {@link ValueLoader#numbers}. */
    long[] numbers() {
        return numbers;
    }

    ValueLoader loader() {
        return loader;
    }

    private static int stripe() {
        return ((int) Thread.currentThread().getId() & STRIPES - 1) << STRIPE_SHIFT;
    }

    private Fory take() {
        Fory ready = near.getAndSet(stripe(), null);
        ready = ready != null ? ready : idle.poll();
        return ready != null ? ready : maker.apply(this, shared);
    }

    /** A class of an application was met. */
    void met() {
        hasMet = true;
    }

    boolean generates() {
        return generates;
    }

    /** It has met a class for which Fory generates wrong code. */
    synchronized void generateNoMore() {
        if (generates) {
            generates = false;
            shared = new SharedRegistry();
        }
        idle.clear();
        for (int n = 0; n < near.length(); n++) {
            near.set(n, null);
        }
    }

    /** Thrown within Fory where code would be wrong that it is about to generate. */
    static final class WrongCode extends RuntimeException {

        private static final long serialVersionUID = 1;

        WrongCode() {
            super(null, null, false, false);
        }

        /** True if it is among the causes. */
        static boolean isIn(Throwable thrown) {
            int depth = 0;
            for (Throwable t = thrown; t != null && depth < 20; t = t.getCause(), depth++) {
                if (t instanceof WrongCode) {
                    return true;
                }
            }
            return false;
        }
    }

    /** Does something with one of its instances, in whose code classes are found by its loader. */
    <T> T with(Function<Fory, T> work) {
        Thread thread = Thread.currentThread();
        ClassLoader context = thread.getContextClassLoader();
        if (loader.isAlone(context)) {
            return inContext(work);
        }
        thread.setContextClassLoader(loader);
        try {
            return inContext(work);
        } finally {
            thread.setContextClassLoader(context);
        }
    }

    private <T> T inContext(Function<Fory, T> work) {
        boolean generated = generates;
        Fory fory = take();
        try {
            T done = work.apply(fory);
            if (hasMet) {
                hasMet = false;
                ForyCaches.empty();
            }
            give(fory, generated);
            return done;
        } catch (RuntimeException e) {
            if (generated && WrongCode.isIn(e)) {
                generateNoMore();
                return inContext(work);
            }
            if (!DeepStack.ranOver(e)) {
                give(fory, generated);
            }
            throw e;
        }
    }

    /** A part of a value that another way of writing leaves to Fory. */
    byte[] writePart(Object part) {
        return inContext(fory -> fory.serialize(part));
    }

    Object readPart(byte[] bytes) {
        return inContext(fory -> fory.deserialize(bytes));
    }

    private void give(Fory fory, boolean generated) {
        if (generated == generates && !near.compareAndSet(stripe(), null, fory)) {
            idle.offer(fory);
        }
    }
}
