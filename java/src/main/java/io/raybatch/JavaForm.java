package io.raybatch;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.OutputStream;
import java.lang.reflect.Proxy;

/** Values by Java's own serialization, with classes that are found by a chain of loaders. */
final class JavaForm {

    private JavaForm() {}

    static byte[] write(Object value, ValueLoader loader) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(256);
        try (Output out = new Output(bytes, loader)) {
            out.writeObject(value);
        }
        return bytes.toByteArray();
    }

    static Object read(byte[] bytes, ValueLoader loader) throws IOException, ClassNotFoundException {
        try (Input in = new Input(new ByteArrayInputStream(bytes), loader)) {
            return in.readObject();
        }
    }

    /** Writes classes that a reader finds. */
    private static final class Output extends ObjectOutputStream {

        private final ValueLoader loader;

        Output(OutputStream out, ValueLoader loader) throws IOException {
            super(out);
            this.loader = loader;
        }

        @Override
        protected void annotateClass(Class<?> type) {
            loader.check(type);
        }

        @Override
        protected void annotateProxyClass(Class<?> type) {
            loader.check(type);
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

        @Override
        protected Class<?> resolveProxyClass(String[] names) throws ClassNotFoundException {
            Class<?>[] faces = new Class<?>[names.length];
            for (int n = 0; n < faces.length; n++) {
                faces[n] = loader.find(names[n]);
            }
            return Proxy.getProxyClass(faces.length == 0 ? loader : faces[0].getClassLoader(), faces);
        }
    }
}
