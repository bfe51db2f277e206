package io.raybatch;

import java.security.AccessController;
import java.security.PrivilegedAction;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.fory.Fory;
import org.apache.fory.config.ForyBuilder;
import org.apache.fory.exception.ForyException;
import org.apache.fory.exception.InsecureException;
import org.apache.fory.memory.MemoryBuffer;
import org.apache.fory.memory.MemoryUtils;
import org.apache.fory.resolver.SharedRegistry;

/**
 * {@link Serializer} by Apache Fory: fast, maintained, and at home with records. Fory generates code for each class it
 * meets, so an instance is made once, when the first value needs it: those who only put arrays never pay for it.
 *
 * <p>What Fory alone gets wrong is put right here and in {@link ForyRules}: docs/values.md has the reasons.
 *
 * <pre>
 * a value: flags u8 · [loaders u8 · number u64 …] · what Fory writes
 * </pre>
 */
final class ForySerializer implements Serializer {

    /** So that Fory's classes are not loaded to end what was never begun. */
    private static volatile boolean foryUsed;

    /** Further nested values are read on a deeper stack; those that the writer could write on its own are not many more. */
    static final int SHALLOW = 128;

    /** Deeper ones are never read. */
    private static final int DEEPEST = 1_000_000;

    private static final int HAS_LOADERS = 1;
    private static final int DEEP = 2;
    private static final int MOST_LOADERS = 16;

    private final Class<?>[] registered;
    private final ForyPools shallow = new ForyPools(chain -> pool(chain, SHALLOW));
    private final ForyPools deep = new ForyPools(chain -> pool(chain, DEEPEST));

    /** @param registered null for any class */
    private ForySerializer(Class<?>[] registered) {
        this.registered = registered;
    }

    static Serializer open() {
        return new ForySerializer(null);
    }

    /** The last client has closed. */
    static void rest() {
        if (foryUsed) {
            ForyThreads.end();
        }
    }

    static Serializer registered(Class<?> first, Class<?>... more) {
        Class<?>[] all = new Class<?>[1 + more.length];
        all[0] = first;
        System.arraycopy(more, 0, all, 1, more.length);
        return new ForySerializer(all);
    }

    /** A client that used a serializer is closed: it is to refer to no class of an application. */
    static void forget(Serializer serializer) {
        if (serializer instanceof ForySerializer fory) {
            fory.shallow.clear();
            fory.deep.clear();
        }
    }

    private ForyPool pool(List<ClassLoader> chain, int depth) {
        ForyPools pools = depth == SHALLOW ? shallow : deep;
        ForyLogs.direct();
        return new ForyPool(new ValueLoader(chain),
                (pool, shared) -> fory(pool, shared, depth, type -> pools.met(type, pool, chain)));
    }

    /** References are tracked, so that a graph with shared or cyclic references comes back as it was. */
    private Fory fory(ForyPool pool, SharedRegistry shared, int depth, Consumer<Class<?>> meeting) {
        ForyBuilder builder = Fory.builder()
                .withXlang(false)
                .withRefTracking(true)
                // a class is read by the fields it has: one of other fields is an error, not a value with holes
                .withCompatible(false)
                .withClassVersionCheck(true)
                .withDeserializeUnknownClass(false)
                .registerGuavaTypes(false)
                .requireClassRegistration(registered != null)
                .suppressClassRegistrationWarnings(true)
                .withMaxDepth(depth)
                .withCodegen(pool.generates())
                // limits for bytes of strangers, which these are not
                .withMaxGraphMemoryBytes(Long.MAX_VALUE)
                .withMaxUnbackedContainerItems(Integer.MAX_VALUE)
                .withMaxTypeFields(Short.MAX_VALUE)
                .withClassLoader(pool.loader())
                .withSharedRegistry(shared);
        Fory fory = build(builder);
        ForyHandles.register(fory);
        ForyRules.register(fory, pool, meeting);
        if (registered != null) {
            for (Class<?> one : registered) {
                fory.register(inChain(pool.loader(), one));
            }
        }
        return fory;
    }

    /** With nothing of the application's that happens to be first: what Fory makes once lasts. */
    @SuppressWarnings("removal")
    private static Fory build(ForyBuilder builder) {
        Thread thread = Thread.currentThread();
        ClassLoader context = thread.getContextClassLoader();
        thread.setContextClassLoader(Fory.class.getClassLoader());
        try {
            ForyThreads.begin();
            foryUsed = true;
            return AccessController.doPrivileged((PrivilegedAction<Fory>) builder::build);
        } finally {
            thread.setContextClassLoader(context);
        }
    }

    /** The class of that name that the reader knows. */
    private static Class<?> inChain(ValueLoader loader, Class<?> type) {
        try {
            return type.isArray() || type.isPrimitive() ? type : loader.find(type.getName());
        } catch (ClassNotFoundException notThere) {
            return type;
        }
    }

    // ---- writing --------------------------------------------------------------------------------------------------

    @Override
    public byte[] serialize(Object value) throws Exception {
        try {
            return write(value, shallow, 0);
        } catch (RuntimeException | StackOverflowError e) {
            if (!DeepStack.ranOver(e)) {
                throw reason(e);
            }
        }
        return writeDeep(value);
    }

    /** What is deep is read once, so that what is taken can be read. */
    private byte[] writeDeep(Object value) throws Exception {
        try {
            byte[] bytes = DeepStack.writing(() -> write(value, deep, DEEP));
            Handles.trying(() -> deserialize(bytes));
            return bytes;
        } catch (RuntimeException | StackOverflowError e) {
            if (DeepStack.ranOver(e) || exceedsDepth(e)) {
                throw new SerializationException("a " + value.getClass().getTypeName() + " cannot be written: its objects are nested"
                        + " too deeply (10,000 levels can always be written); flatten it, or put it in parts",
                        ErrorDetails.NONE);
            }
            throw reason(e);
        }
    }

    /** What is behind an exception of Fory's, whose message lists all that it has read. */
    private static Exception reason(Throwable thrown) {
        Throwable reason = thrown;
        while (reason instanceof ForyException && reason.getCause() != null) {
            reason = reason.getCause();
        }
        if (reason instanceof Error error) {
            throw error;
        }
        return (Exception) reason;
    }

    private byte[] write(Object value, ForyPools pools, int flags) {
        ClassLoader reader = ValueLoader.ofThread();
        ClassLoader own = value.getClass().getClassLoader();
        List<ClassLoader> further = List.of();
        if (own != reader && !ValueLoader.isPermanent(own) && !ValueLoader.isAncestor(own, reader)) {
            reader = own;
            further = List.of(own);
        }
        while (true) {
            ForyPool pool = further.isEmpty() ? pools.of(reader) : pools.of(ValueLoader.chain(reader, further));
            try {
                return write(value, pools, pool, flags);
            } catch (RuntimeException e) {
                ValueLoader.Elsewhere elsewhere = ValueLoader.Elsewhere.in(e);
                if (elsewhere == null) {
                    throw e;
                }
                if (further.contains(elsewhere.loader()) || further.size() == MOST_LOADERS) {
                    throw new SerializationException("a " + value.getClass().getTypeName() + " cannot be written: it has "
                            + elsewhere.getMessage() + ", where a reader would find another class of that name; classes of one"
                            + " name belong in values of their own", ErrorDetails.NONE);
                }
                // the classes' own loader first: it finds them whatever the context has of such names
                reader = further.isEmpty() ? elsewhere.loader() : reader;
                further = new ArrayList<>(further);
                further.add(elsewhere.loader());
            }
        }
    }

    private static byte[] write(Object value, ForyPools pools, ForyPool pool, int flags) {
        try {
            return pool.with(fory -> {
                MemoryBuffer buffer = fory.getBuffer();
                buffer.writerIndex(0);
                long[] loaders = pool.numbers();
                buffer.writeByte((byte) (loaders.length == 0 ? flags : flags | HAS_LOADERS));
                if (loaders.length > 0) {
                    buffer.writeByte((byte) loaders.length);
                    for (long one : loaders) {
                        buffer.writeInt64(one);
                    }
                }
                fory.serialize(buffer, value);
                byte[] bytes = buffer.getBytes(0, buffer.writerIndex());
                fory.resetBuffer();
                return bytes;
            });
        } catch (RuntimeException | StackOverflowError e) {
            if (DeepStack.ranOver(e)) {
                pools.drop(pool);
            }
            throw e;
        }
    }

    // ---- reading --------------------------------------------------------------------------------------------------

    @Override
    public Object deserialize(byte[] bytes) throws Exception {
        boolean isDeep = (bytes[0] & DEEP) != 0;
        if (!isDeep) {
            try {
                return read(bytes, shallow);
            } catch (RuntimeException | StackOverflowError e) {
                if (!DeepStack.ranOver(e) && !exceedsDepth(e)) {
                    throw reason(e);
                }
            }
        }
        try {
            return DeepStack.reading(() -> read(bytes, deep));
        } catch (RuntimeException e) {
            throw reason(e);
        }
    }

    private static boolean exceedsDepth(Throwable thrown) {
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            if (t instanceof InsecureException && String.valueOf(t.getMessage()).startsWith("Read depth")) {
                return true;
            }
        }
        return false;
    }

    private static Object read(byte[] bytes, ForyPools pools) {
        MemoryBuffer buffer = MemoryUtils.wrap(bytes);
        int flags = buffer.readByte();
        ClassLoader reader = ValueLoader.ofThread();
        ForyPool pool = (flags & HAS_LOADERS) == 0 ? pools.of(reader) : pools.of(reader, writers(buffer));
        int start = buffer.readerIndex();
        try {
            return pool.with(fory -> {
                buffer.readerIndex(start);
                return fory.deserialize(buffer);
            });
        } catch (RuntimeException | StackOverflowError e) {
            if (DeepStack.ranOver(e)) {
                pools.drop(pool);
            }
            throw e;
        }
    }

    private static List<ClassLoader> writers(MemoryBuffer buffer) {
        int count = buffer.readByte();
        List<ClassLoader> writers = new ArrayList<>(count);
        for (int n = 0; n < count; n++) {
            ClassLoader writer = LoaderNumbers.loader(buffer.readInt64());
            if (writer != null) {
                writers.add(writer);
            }
        }
        return writers;
    }
}
