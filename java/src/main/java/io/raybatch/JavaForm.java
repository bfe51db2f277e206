package io.raybatch;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InvalidClassException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.OutputStream;
import java.io.Serializable;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.IdentityHashMap;
import java.util.Map;
import org.apache.fory.resolver.TypeResolver;

/**
 * A value by Java's own serialization, inside of what Fory writes. Its classes are found by the chain of loaders; parts that Java
 * refuses, since they are not {@link Serializable}, are left to Fory again.
 */
final class JavaForm {

    private final ForyPool pool;
    private final TypeResolver types;
    private final boolean onlyRegistered;

    JavaForm(ForyPool pool, TypeResolver types) {
        this.pool = pool;
        this.types = types;
        this.onlyRegistered = types.getConfig().requireClassRegistration();
    }

    byte[] write(Object value) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (Output out = new Output(bytes)) {
            out.writeObject(value);
        }
        return bytes.toByteArray();
    }

    Object read(byte[] bytes) throws IOException, ClassNotFoundException {
        try (Input in = new Input(new ByteArrayInputStream(bytes))) {
            return in.readObject();
        }
    }

    /** With a strict serializer, a class is either one of those given, or harmless. */
    private void permit(Class<?> type) throws InvalidClassException {
        Class<?> named = type;
        while (named.isArray()) {
            named = named.getComponentType();
        }
        boolean harmless = !onlyRegistered || named.isPrimitive() || named.isInterface() || Modifier.isAbstract(named.getModifiers())
                || types.isRegistered(named) || named == StackTraceElement.class
                || named.getClassLoader() == null && Throwable.class.isAssignableFrom(named);
        if (!harmless) {
            throw new InvalidClassException(named.getName(), "the class is not registered: Serializer.fory(…) has to name it");
        }
    }

    /** Stands for a part that Java does not write. */
    private record Part(byte[] bytes) implements Serializable {}

    /** Writes classes that a reader finds. */
    private final class Output extends ObjectOutputStream {

        /** what Java does not write → what stands for it */
        private final Map<Object, Part> parts = new IdentityHashMap<>();

        Output(OutputStream out) throws IOException {
            super(out);
            enableReplaceObject(true);
        }

        @Override
        protected Object replaceObject(Object object) {
            if (object == null || object instanceof Serializable) {
                return object;
            }
            Part part = parts.get(object);
            if (part == null) {
                part = new Part(pool.writePart(object));
                parts.put(object, part);
            }
            return part;
        }

        @Override
        protected void annotateClass(Class<?> type) throws IOException {
            pool.loader().check(type);
            if (type != Part.class) {
                permit(type);
            }
        }

        @Override
        protected void annotateProxyClass(Class<?> type) throws IOException {
            annotateClass(type);
        }
    }

    /** Finds the classes of the reader. */
    private final class Input extends ObjectInputStream {

        Input(InputStream in) throws IOException {
            super(in);
            enableResolveObject(true);
        }

        @Override
        protected Class<?> resolveClass(ObjectStreamClass form) throws IOException, ClassNotFoundException {
            if (form.getName().equals(Part.class.getName())) {
                return Part.class;
            }
            Class<?> found;
            try {
                found = pool.loader().find(form.getName());
            } catch (ClassNotFoundException primitive) {
                found = super.resolveClass(form);
            }
            permit(found);
            return found;
        }

        @Override
        @SuppressWarnings("deprecation") // as its replacement makes proxies, not classes
        protected Class<?> resolveProxyClass(String[] faces) throws IOException, ClassNotFoundException {
            Class<?>[] types = new Class<?>[faces.length];
            for (int n = 0; n < faces.length; n++) {
                types[n] = pool.loader().find(faces[n]);
                permit(types[n]);
            }
            return Proxy.getProxyClass(types.length == 0 ? pool.loader() : types[0].getClassLoader(), types);
        }

        @Override
        protected Object resolveObject(Object object) {
            return object instanceof Part part ? pool.readPart(part.bytes()) : object;
        }
    }
}
