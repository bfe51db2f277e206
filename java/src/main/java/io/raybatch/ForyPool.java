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
    private final AtomicReferenceArray<Instance> near = new AtomicReferenceArray<>(STRIPES << STRIPE_SHIFT);
    private final ConcurrentLinkedQueue<Instance> idle = new ConcurrentLinkedQueue<>();

    /** With what it was made from: one that was made before {@link #generateNoMore} is used no more, whenever it comes back. */
    private static final class Instance {

        final Fory fory;
        final SharedRegistry shared;

        Instance(Fory fory, SharedRegistry shared) {
            this.fory = fory;
            this.shared = shared;
        }
    }

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

    private Instance take() {
        SharedRegistry now = shared;
        Instance ready = near.getAndSet(stripe(), null);
        while (ready == null || ready.shared != now) {
            ready = idle.poll();
            if (ready == null) {
                return new Instance(maker.apply(this, now), now);
            }
        }
        return ready;
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
            // in this order: an instance with the new registry generates nothing
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
        Instance instance = take();
        try {
            T done = work.apply(instance.fory);
            if (hasMet) {
                hasMet = false;
                ForyCaches.empty();
            }
            give(instance);
            return done;
        } catch (RuntimeException e) {
            if (WrongCode.isIn(e)) {
                generateNoMore();
                return inContext(work);
            }
            if (!DeepStack.ranOver(e)) {
                give(instance);
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

    private void give(Instance instance) {
        if (instance.shared == shared && !near.compareAndSet(stripe(), null, instance)) {
            idle.offer(instance);
        }
    }
}
