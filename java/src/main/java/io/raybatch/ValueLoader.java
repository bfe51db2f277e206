package io.raybatch;

import java.lang.ref.WeakReference;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.apache.fory.Fory;

/**
 * Finds the classes of values: in the loaders of one chain, in order. The first is the reader's (the context loader of the thread
 * that gets the value), then comes the one that this class is of, then those of the writer.
 */
final class ValueLoader extends ClassLoader {

    private static final ClassLoader OWN = ValueLoader.class.getClassLoader();

    private static final ClassLoader OF_FORY = Fory.class.getClassLoader();

    /** The last loader that was found to see this raybatch. */
    private static volatile WeakReference<ClassLoader> lastSeeing;

    private final List<ClassLoader> chain;
    /** That of the chain, if it is the only one. */
    private final ClassLoader only;

    ValueLoader(List<ClassLoader> chain) {
        super(chain.get(0));
        this.chain = chain;
        this.only = chain.size() == 1 ? chain.get(0) : this;
    }

    /** The loader whose classes the calling thread reads. */
    static ClassLoader ofThread() {
        ClassLoader loader = Thread.currentThread().getContextClassLoader();
        // a parent of our own is no application's loader: it is what threads have that belong to none, as in a common pool
        if (loader == null || loader == OWN || isAncestor(loader, OWN)) {
            return OWN;
        }
        return seesThis(loader) ? loader : OWN;
    }

    /** False for a loader of what does not use this raybatch: an unrelated application's, or one with a copy of raybatch of its own. */
    private static boolean seesThis(ClassLoader loader) {
        WeakReference<ClassLoader> known = lastSeeing;
        if (known != null && known.refersTo(loader)) {
            return true;
        }
        boolean sees = finds(loader, ObjectRef.class);
        if (sees) {
            lastSeeing = new WeakReference<>(loader);
        }
        return sees;
    }

    /** True if {@code ancestor} is {@code loader} or above it. */
    static boolean isAncestor(ClassLoader ancestor, ClassLoader loader) {
        for (ClassLoader up = loader; up != null; up = up.getParent()) {
            if (up == ancestor) {
                return true;
            }
        }
        return ancestor == null;
    }

    /** True if its classes live at least as long as those of raybatch. */
    static boolean isPermanent(ClassLoader loader) {
        return loader == null || loader == OWN || isAncestor(loader, OWN);
    }

    /** The chain for a reader and a writer's loaders; none of them twice. */
    static List<ClassLoader> chain(ClassLoader reader, List<ClassLoader> writers) {
        List<ClassLoader> chain = new ArrayList<>(2 + writers.size());
        chain.add(reader);
        add(chain, OWN);
        writers.forEach(writer -> add(chain, writer));
        return List.copyOf(chain);
    }

    private static void add(List<ClassLoader> chain, ClassLoader loader) {
        if (chain.stream().noneMatch(known -> isAncestor(loader, known))) {
            chain.add(loader);
        }
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        // the first loader of the chain is the parent, which was asked before
        for (int n = 1; n < chain.size(); n++) {
            try {
                return chain.get(n).loadClass(name);
            } catch (ClassNotFoundException elsewhere) {
                // perhaps in the next one
            }
        }
        throw new ClassNotFoundException(name);
    }

    /** The numbers of those of its loaders that other readers may not have. */
    long[] numbers() {
        return chain.stream().filter(one -> !isPermanent(one)).mapToLong(LoaderNumbers::of).toArray();
    }

    /** The class of that name, as a reader with this chain finds it. */
    Class<?> find(String name) throws ClassNotFoundException {
        return Class.forName(name, false, this);
    }

    /**
     * True if the loader of Fory has another class of that name: the code that Fory generates would take that one, where it
     * cannot name a class that is not public.
     */
    static boolean isShadowed(Class<?> type) {
        Class<?> named = element(type);
        ClassLoader loader = named.getClassLoader();
        if (isAncestor(loader, OF_FORY) || named.isHidden() || Proxy.isProxyClass(named)) {
            return false;
        }
        try {
            return Class.forName(named.getName(), false, OF_FORY) != named;
        } catch (ClassNotFoundException notThere) {
            return false;
        }
    }

    /** True if that loader finds the same Fory as this one. */
    static boolean seesFory(ClassLoader loader) {
        return finds(loader, Fory.class);
    }

    private static boolean finds(ClassLoader loader, Class<?> type) {
        try {
            return Class.forName(type.getName(), false, loader) == type;
        } catch (ClassNotFoundException | LinkageError notThere) {
            return false;
        }
    }

    private static Class<?> element(Class<?> type) {
        Class<?> element = type;
        while (element.isArray()) {
            element = element.getComponentType();
        }
        return element;
    }

    /** True if threads whose context loader is that one find all that this one finds. */
    boolean isAlone(ClassLoader context) {
        return only == context;
    }

    /** Demands that a reader with this chain finds this very class by its name. */
    void check(Class<?> type) {
        Class<?> named = element(type);
        if (named.isHidden()) {
            // a lambda expression: read through the class that it is written in
            named = named.getNestHost();
        }
        if (Proxy.isProxyClass(named)) {
            for (Class<?> face : named.getInterfaces()) {
                check(face);
            }
            return;
        }
        ClassLoader loader = named.getClassLoader();
        if (named.isPrimitive() || loader == null || loader == chain.get(0)) {
            return;
        }
        try {
            if (find(named.getName()) == named) {
                return;
            }
        } catch (ClassNotFoundException elsewhere) {
            // not found at all, which is as bad
        }
        throw new Elsewhere(named);
    }

    /** A class that a chain does not find. */
    static final class Elsewhere extends RuntimeException {

        private static final long serialVersionUID = 1;
        private final transient Class<?> type;

        private Elsewhere(Class<?> type) {
            super(type.getName() + " of " + type.getClassLoader(), null, false, false);
            this.type = type;
        }

        ClassLoader loader() {
            return type.getClassLoader();
        }

        /** The one among the causes of what was thrown; null if there is none. */
        static Elsewhere in(Throwable thrown) {
            int depth = 0;
            for (Throwable t = thrown; t != null && depth < 20; t = t.getCause(), depth++) {
                if (t instanceof Elsewhere elsewhere) {
                    return elsewhere;
                }
            }
            return null;
        }
    }
}
