package io.raybatch;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.ObjectStreamClass;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;

/**
 * What a task threw, on its way to who gets its result: the exception itself where it can be written, and beside it its names,
 * messages and traces, which always can.
 *
 * @param task name of the task
 * @param thread name of the thread that ran it
 * @param text the exception's own words
 * @param trace as it was printed
 * @param cause the exception, or what stands for it
 */
record Thrown(String task, String thread, String text, String trace, Throwable cause) {

    private static final int MOST_FRAMES = 256;
    private static final int MOST_CAUSES = 16;
    private static final int MOST_TEXT = 64 << 10;
    private static final int MOST_BYTES = 1 << 20;

    private static final byte NOTHING = 0;
    private static final byte BY_JAVA = 1;
    private static final byte BY_SERIALIZER = 2;

    /** The payload of a failure. Never throws: what cannot be written is left out. */
    static byte[] payload(String task, String thread, Throwable thrown, Serializer serializer) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeByte(Failures.EXCEPTION);
            write(out, task);
            write(out, thread);
            write(out, textOf(thrown));
            write(out, printed(thrown));
            writeNames(out, thrown, MOST_CAUSES);
            writeItself(out, thrown, serializer);
            return bytes.toByteArray();
        } catch (IOException | RuntimeException | Error e) {
            String what = "it threw a " + thrown.getClass().getName() + ", which could not be written down";
            byte[] utf8 = what.getBytes(StandardCharsets.UTF_8);
            byte[] payload = new byte[1 + utf8.length];
            payload[0] = Failures.INTERNAL;
            System.arraycopy(utf8, 0, payload, 1, utf8.length);
            return payload;
        }
    }

    static Thrown read(DataInputStream in, Serializer serializer) throws IOException {
        String task = readText(in);
        String thread = readText(in);
        String text = readText(in);
        String trace = readText(in);
        Throwable standIn = readNames(in);
        Throwable itself = readItself(in, serializer);
        return new Thrown(task, thread, text, trace, itself == null ? standIn : itself);
    }

    /** A user's exception may do anything when it is asked. */
    private static String textOf(Throwable thrown) {
        try {
            return String.valueOf(thrown);
        } catch (RuntimeException | Error e) {
            return thrown.getClass().getName();
        }
    }

    private static String printed(Throwable thrown) {
        try {
            StringWriter text = new StringWriter();
            thrown.printStackTrace(new PrintWriter(text));
            return text.toString();
        } catch (RuntimeException | Error e) {
            return "";
        }
    }

    private static void write(DataOutputStream out, String text) throws IOException {
        byte[] utf8 = text.substring(0, Math.min(text.length(), MOST_TEXT)).getBytes(StandardCharsets.UTF_8);
        out.writeInt(utf8.length);
        out.write(utf8);
    }

    private static String readText(DataInputStream in) throws IOException {
        return new String(readBytes(in), StandardCharsets.UTF_8);
    }

    private static byte[] readBytes(DataInputStream in) throws IOException {
        int length = in.readInt();
        byte[] bytes = in.readNBytes(length);
        if (bytes.length < length) {
            throw new IOException("it ends after " + bytes.length + " bytes of " + length);
        }
        return bytes;
    }

    // ---- names, messages and traces -------------------------------------------------------------------------------

    private static void writeNames(DataOutputStream out, Throwable thrown, int depth) throws IOException {
        out.writeBoolean(thrown != null && depth > 0);
        if (thrown == null || depth == 0) {
            return;
        }
        write(out, thrown.getClass().getName());
        String message = messageOf(thrown);
        out.writeBoolean(message != null);
        write(out, message == null ? "" : message);
        StackTraceElement[] frames = thrown.getStackTrace();
        int count = Math.min(frames.length, MOST_FRAMES);
        out.writeInt(count);
        for (int n = 0; n < count; n++) {
            write(out, frames[n].getClassName());
            write(out, frames[n].getMethodName());
            write(out, frames[n].getFileName() == null ? "" : frames[n].getFileName());
            out.writeInt(frames[n].getLineNumber());
        }
        writeNames(out, thrown.getCause(), depth - 1);
    }

    private static String messageOf(Throwable thrown) {
        try {
            return thrown.getMessage();
        } catch (RuntimeException | Error e) {
            return null;
        }
    }

    private static Throwable readNames(DataInputStream in) throws IOException {
        if (!in.readBoolean()) {
            return null;
        }
        String name = readText(in);
        boolean hasMessage = in.readBoolean();
        String message = readText(in);
        StackTraceElement[] frames = new StackTraceElement[in.readInt()];
        for (int n = 0; n < frames.length; n++) {
            String type = readText(in);
            String method = readText(in);
            String file = readText(in);
            frames[n] = new StackTraceElement(type, method, file.isEmpty() ? null : file, in.readInt());
        }
        return new RemoteException(name, hasMessage ? message : null, readNames(in), frames);
    }

    // ---- the exception itself -------------------------------------------------------------------------------------

    /** By Java's own serialization, which exceptions are made for; by the serializer where that refuses. */
    private static void writeItself(DataOutputStream out, Throwable thrown, Serializer serializer) throws IOException {
        byte form = BY_JAVA;
        byte[] bytes = byJava(thrown);
        if (bytes == null) {
            form = BY_SERIALIZER;
            bytes = bySerializer(thrown, serializer);
        }
        if (bytes == null || bytes.length > MOST_BYTES) {
            form = NOTHING;
            bytes = new byte[0];
        }
        out.writeByte(form);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] byJava(Throwable thrown) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(thrown);
        } catch (IOException | RuntimeException | Error refused) {
            return null;
        }
        return bytes.toByteArray();
    }

    private static byte[] bySerializer(Throwable thrown, Serializer serializer) {
        try {
            return serializer.serialize(thrown);
        } catch (Exception | StackOverflowError | LinkageError refused) {
            return null;
        }
    }

    /** Null where that cannot be. */
    private static Throwable readItself(DataInputStream in, Serializer serializer) throws IOException {
        byte form = in.readByte();
        byte[] bytes = readBytes(in);
        try {
            Object read = switch (form) {
                case BY_JAVA -> new Input(new ByteArrayInputStream(bytes)).readObject();
                case BY_SERIALIZER -> serializer.deserialize(bytes);
                default -> null;
            };
            return read instanceof Throwable thrown ? thrown : null;
        } catch (Exception | StackOverflowError | LinkageError unreadable) {
            return null;
        }
    }

    /** Finds the classes of whoever gets the result. */
    private static final class Input extends ObjectInputStream {

        Input(InputStream in) throws IOException {
            super(in);
        }

        @Override
        protected Class<?> resolveClass(ObjectStreamClass form) throws IOException, ClassNotFoundException {
            try {
                return super.resolveClass(form);
            } catch (ClassNotFoundException elsewhere) {
                return Class.forName(form.getName(), false, Thread.currentThread().getContextClassLoader());
            }
        }
    }
}
