package io.raybatch;

import java.lang.ref.WeakReference;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.WeakHashMap;

/**
 * Numbers by which values name the class loaders of their writer, for readers in the same process. Holds the loaders weakly; a
 * number of another process names none.
 */
final class LoaderNumbers {

    private static final Map<ClassLoader, Long> NUMBERS = new WeakHashMap<>();
    private static final Map<Long, WeakReference<ClassLoader>> LOADERS = new HashMap<>();
    private static final SplittableRandom RANDOM = new SplittableRandom();

    private LoaderNumbers() {}

    static synchronized long of(ClassLoader loader) {
        Long known = NUMBERS.get(loader);
        if (known != null) {
            return known;
        }
        LOADERS.values().removeIf(gone -> gone.refersTo(null));
        long number = RANDOM.nextLong();
        NUMBERS.put(loader, number);
        LOADERS.put(number, new WeakReference<>(loader));
        return number;
    }

    /** Null for one that is not here, or not any more. */
    static synchronized ClassLoader loader(long number) {
        WeakReference<ClassLoader> known = LOADERS.get(number);
        return known == null ? null : known.get();
    }
}
