package io.raybatch;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.OutputStream;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/** An exception by Java's own serialization, which exceptions are made for; one that cannot be written so has a stand-in. */
final class ThrownForm {

    private static final int MOST_PARTS = 64;

    private ThrownForm() {}

    /** As it is; null where it, or a part of it, cannot be written. */
    static byte[] whole(Throwable thrown) {
        return write(thrown, Map.of());
    }

    /** With stand-ins for those of its causes and suppressed ones that cannot be written, and perhaps for itself. */
    static byte[] withStandIns(Throwable thrown) {
        Map<Throwable, Throwable> standIns = new IdentityHashMap<>();
        byte[] last = null;
        for (Throwable part : Told.innermostFirst(thrown, MOST_PARTS)) {
            last = write(part, standIns);
            if (last == null) {
                RemoteException standIn = standInFor(part, standIns);
                standIns.put(part, standIn);
                last = write(standIn, standIns);
            }
        }
        return last;
    }

    private static RemoteException standInFor(Throwable thrown, Map<Throwable, Throwable> others) {
        Throwable cause = Told.cause(thrown);
        RemoteException standIn = new RemoteException(thrown.getClass().getName(), Told.message(thrown),
                cause == null ? null : others.getOrDefault(cause, cause), Told.trace(thrown));
        for (Throwable suppressed : Told.suppressed(thrown)) {
            standIn.addSuppressed(others.getOrDefault(suppressed, suppressed));
        }
        return standIn;
    }

    private static byte[] write(Throwable thrown, Map<Throwable, Throwable> standIns) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
        try (Output out = new Output(bytes, standIns)) {
            out.writeObject(thrown);
        } catch (IOException | RuntimeException | Error refused) {
            return null;
        }
        return bytes.toByteArray();
    }

    /** @param writer the loader that it was thrown from, if it is here; or null */
    static Object read(byte[] bytes, ClassLoader writer) throws IOException, ClassNotFoundException {
        List<ClassLoader> writers = writer == null ? List.of() : List.of(writer);
        ValueLoader loader = new ValueLoader(ValueLoader.chain(ValueLoader.ofThread(), writers));
        try (Input in = new Input(new ByteArrayInputStream(bytes), loader)) {
            return in.readObject();
        }
    }

    private static final class Output extends ObjectOutputStream {

        private final Map<Throwable, Throwable> standIns;

        Output(OutputStream out, Map<Throwable, Throwable> standIns) throws IOException {
            super(out);
            this.standIns = standIns;
            enableReplaceObject(!standIns.isEmpty());
        }

        @Override
        protected Object replaceObject(Object object) {
            return object instanceof Throwable thrown ? standIns.getOrDefault(thrown, thrown) : object;
        }
    }

    /** Finds the classes of the reader. */
    private static final class Input extends ObjectInputStream {

        private final ValueLoader loader;

        Input(InputStream in, ValueLoader loader) throws IOException {
            super(in);
            this.loader = loader;
        }

        @Override
        protected Class<?> resolveClass(ObjectStreamClass form) throws IOException, ClassNotFoundException {
            try {
                return loader.find(form.getName());
            } catch (ClassNotFoundException primitive) {
                return super.resolveClass(form);
            }
        }
    }
}
