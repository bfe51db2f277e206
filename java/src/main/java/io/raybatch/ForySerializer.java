package io.raybatch;

import java.util.function.Supplier;
import org.apache.fory.Fory;
import org.apache.fory.ThreadSafeFory;
import org.apache.fory.config.ForyBuilder;

/**
 * {@link Serializer} by Apache Fory: fast, maintained, and at home with records. Fory generates code for each class it
 * meets, so an instance is made once, when the first value needs it: those who only put arrays never pay for it.
 */
final class ForySerializer implements Serializer {

    /** So that Fory's classes are not loaded to end what was never begun. */
    private static volatile boolean foryUsed;

    private final Supplier<ThreadSafeFory> maker;
    private volatile ThreadSafeFory fory;

    private ForySerializer(Supplier<ThreadSafeFory> maker) {
        this.maker = maker;
    }

    static Serializer open() {
        return new ForySerializer(() -> {
            ThreadSafeFory made = builder()
                    .requireClassRegistration(false)
                    .suppressClassRegistrationWarnings(true)
                    .buildThreadSafeFory();
            ForyHandles.register(made);
            return made;
        });
    }

    /** The last client has closed. */
    static void rest() {
        if (foryUsed) {
            ForyThreads.end();
        }
    }

    static Serializer registered(Class<?> first, Class<?>... more) {
        Class<?>[] all = more.clone();
        return new ForySerializer(() -> {
            ThreadSafeFory made = builder().requireClassRegistration(true).buildThreadSafeFory();
            ForyHandles.register(made);
            made.register(first);
            for (Class<?> one : all) {
                made.register(one);
            }
            return made;
        });
    }

    /** References are tracked, so that a graph with shared or cyclic references comes back as it was. */
    private static ForyBuilder builder() {
        return Fory.builder().withXlang(false).withRefTracking(true);
    }

    @Override
    public byte[] serialize(Object value) {
        return fory().serialize(value);
    }

    @Override
    public Object deserialize(byte[] bytes) {
        return fory().deserialize(bytes);
    }

    private ThreadSafeFory fory() {
        ThreadSafeFory made = fory;
        if (made == null) {
            synchronized (this) {
                made = fory;
                if (made == null) {
                    ForyThreads.begin();
                    foryUsed = true;
                    made = maker.get();
                    fory = made;
                }
            }
        }
        return made;
    }
}
