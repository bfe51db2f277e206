package io.raybatch;

import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

/**
 * A {@link ForyPool} for each chain of class loaders. A pool refers to its loaders, and must not keep an application's reachable
 * after all else has dropped it: so a pool for such a loader is held by a class of that loader, and from here weakly.
 */
final class ForyPools {

    private final Function<List<ClassLoader>, ForyPool> maker;
    private volatile ForyPool permanent;
    private volatile Entry last;
    private final List<Entry> others = new ArrayList<>();
    /** class of a loader → the pool of that loader, in a holder of the JDK's that can be emptied */
    private final ClassValue<AtomicReference<Object>> anchors = new ClassValue<>() {
        @Override
        protected AtomicReference<Object> computeValue(Class<?> type) {
            return new AtomicReference<>();
        }
    };
    private final List<WeakReference<AtomicReference<Object>>> anchored = new ArrayList<>();

    /** What is known of a chain with a loader that may go away. */
    private record Entry(List<WeakReference<ClassLoader>> chain, WeakReference<ForyPool> pool) {

        boolean isOf(List<ClassLoader> loaders) {
            if (chain.size() != loaders.size()) {
                return false;
            }
            for (int n = 0; n < loaders.size(); n++) {
                if (!chain.get(n).refersTo(loaders.get(n))) {
                    return false;
                }
            }
            return true;
        }
    }

    ForyPools(Function<List<ClassLoader>, ForyPool> maker) {
        this.maker = maker;
    }

    /** The pool for a reader alone. */
    ForyPool of(ClassLoader reader) {
        if (ValueLoader.isPermanent(reader)) {
            ForyPool known = permanent;
            return known != null ? known : permanent(ValueLoader.chain(reader, List.of()));
        }
        Entry recent = last;
        if (recent != null && recent.chain.get(0).refersTo(reader)) {
            ForyPool pool = recent.pool.get();
            if (pool != null) {
                return pool;
            }
        }
        List<ClassLoader> chain = ValueLoader.chain(reader, List.of());
        ForyPool pool = of(chain);
        last = new Entry(List.of(new WeakReference<>(reader)), new WeakReference<>(pool));
        return pool;
    }

    /** The pool for a reader of what others wrote. */
    ForyPool of(ClassLoader reader, List<ClassLoader> writers) {
        for (ClassLoader writer : writers) {
            if (!ValueLoader.isAncestor(writer, reader)) {
                return of(ValueLoader.chain(reader, writers));
            }
        }
        return of(reader);
    }

    private synchronized ForyPool permanent(List<ClassLoader> chain) {
        if (permanent == null) {
            permanent = maker.apply(chain);
        }
        return permanent;
    }

    /** The pool for a chain. */
    ForyPool of(List<ClassLoader> chain) {
        if (chain.stream().allMatch(ValueLoader::isPermanent)) {
            ForyPool known = permanent;
            return known != null ? known : permanent(chain);
        }
        synchronized (this) {
            others.removeIf(entry -> entry.pool.refersTo(null));
            for (Entry entry : others) {
                ForyPool pool = entry.isOf(chain) ? entry.pool.get() : null;
                if (pool != null) {
                    return pool;
                }
            }
            ForyPool pool = maker.apply(chain);
            others.add(new Entry(chain.stream().map(WeakReference::new).toList(), new WeakReference<>(pool)));
            return pool;
        }
    }

    /** A pool has met a class: one of the only loader of its chain that may go away keeps the pool. */
    void met(Class<?> type, ForyPool pool, List<ClassLoader> chain) {
        ClassLoader loader = type.getClassLoader();
        if (ValueLoader.isPermanent(loader) || !chain.contains(loader)
                || chain.stream().filter(one -> !ValueLoader.isPermanent(one)).count() != 1) {
            return;
        }
        AtomicReference<Object> anchor = anchors.get(type);
        synchronized (this) {
            anchored.removeIf(gone -> gone.refersTo(null));
            if (anchored.stream().noneMatch(known -> known.refersTo(anchor))) {
                anchored.add(new WeakReference<>(anchor));
            }
            anchor.set(pool);
        }
    }

    /** A pool was left in an unknown state. */
    synchronized void drop(ForyPool pool) {
        if (permanent == pool) {
            permanent = null;
        }
        last = null;
        others.removeIf(entry -> entry.pool.refersTo(pool) || entry.pool.refersTo(null));
    }

    /** Lets go of all; what is needed again is made anew. */
    synchronized void clear() {
        permanent = null;
        last = null;
        others.clear();
        for (WeakReference<AtomicReference<Object>> held : anchored) {
            AtomicReference<Object> anchor = held.get();
            if (anchor != null) {
                anchor.set(null);
            }
        }
        anchored.clear();
    }
}
