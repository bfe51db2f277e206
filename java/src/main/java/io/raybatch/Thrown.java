package io.raybatch;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/**
 * What a task threw, on its way to who gets its result: the exception itself where it can be written, and beside it its names,
 * messages and traces, which always can. What matters most comes first, so that a payload that was cut is read as far as it goes.
 *
 * <pre>
 * task · thread · text · names of it and its causes · trace as printed · loader u64 · form u8 · the exception itself
 * </pre>
 *
 * @param task name of the task
 * @param thread name of the thread that ran it
 * @param text the exception's own words
 * @param trace as it was printed
 * @param cause the exception, or what stands for it
 */
record Thrown(String task, String thread, String text, String trace, Throwable cause) {

    private static final int MOST_BYTES = 1 << 20;

    private static final byte NOTHING = 0;
    private static final byte BY_JAVA = 1;
    private static final byte BY_SERIALIZER = 2;

    private static final byte REMOTE = 1;
    private static final byte OF_RAYBATCH = 2;

    /** What is written where there is no memory for anything else. */
    private static final byte[] NO_MEMORY = text(Failures.INTERNAL, "there was no memory to write down what it threw");

    /** How much is written. */
    private enum Extent {
        ALL(256, 16, 64 << 10, true),
        /** For a store, or a heap, that is full. */
        LITTLE(4, 4, 400, false);

        private final int frames;
        private final int causes;
        private final int text;
        private final boolean itself;

        Extent(int frames, int causes, int text, boolean itself) {
            this.frames = frames;
            this.causes = causes;
            this.text = text;
            this.itself = itself;
        }
    }

    /** The payload of a failure. Never throws: what cannot be written is left out. */
    static byte[] payload(String task, String thread, Throwable thrown, Serializer serializer) {
        try {
            // in a store that was full just now its report is to find space
            if (!isOfFullStore(thrown)) {
                return payload(task, thread, thrown, serializer, Extent.ALL);
            }
        } catch (IOException | RuntimeException | Error e) {
            // in little, perhaps
        }
        return littlePayload(task, thread, thrown, serializer);
    }

    /** True if a full store is among its causes. */
    static boolean isOfFullStore(Throwable thrown) {
        return Told.innermostFirst(thrown, Extent.ALL.causes).stream().anyMatch(StoreFullException.class::isInstance);
    }

    private static byte[] littlePayload(String task, String thread, Throwable thrown, Serializer serializer) {
        try {
            return payload(task, thread, thrown, serializer, Extent.LITTLE);
        } catch (IOException | RuntimeException | Error e) {
            return NO_MEMORY;
        }
    }

    private static byte[] payload(String task, String thread, Throwable thrown, Serializer serializer, Extent extent)
            throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(1024);
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeByte(Failures.EXCEPTION);
        write(out, task, extent);
        write(out, thread, extent);
        write(out, Told.text(thrown), extent);
        writeNames(out, thrown, extent, extent.causes);
        write(out, extent.itself ? Told.printed(thrown) : "", extent);
        ClassLoader loader = thrown.getClass().getClassLoader();
        out.writeLong(ValueLoader.isPermanent(loader) ? 0 : LoaderNumbers.of(loader));
        writeItself(out, extent.itself ? thrown : null, serializer);
        return bytes.toByteArray();
    }

    static Thrown read(DataInputStream in, Serializer serializer) throws IOException {
        String task = readText(in);
        String thread = "";
        String text = "";
        String trace = "";
        Throwable cause = null;
        try {
            thread = readText(in);
            text = readText(in);
            cause = readNames(in);
            trace = readText(in);
            long number = in.readLong();
            Throwable itself = readItself(in, number == 0 ? null : LoaderNumbers.loader(number), serializer);
            cause = itself == null ? cause : itself;
        } catch (EOFException cut) {
            // what there is must do
        }
        return new Thrown(task, thread, text, trace.isEmpty() && cause != null ? Told.printed(cause) : trace, cause);
    }

    private static byte[] text(byte tag, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        byte[] payload = new byte[1 + utf8.length];
        payload[0] = tag;
        System.arraycopy(utf8, 0, payload, 1, utf8.length);
        return payload;
    }

    private static void write(DataOutputStream out, String text, Extent extent) throws IOException {
        byte[] utf8 = text.substring(0, Math.min(text.length(), extent.text)).getBytes(StandardCharsets.UTF_8);
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
            throw new EOFException("it ends after " + bytes.length + " bytes of " + length);
        }
        return bytes;
    }

    // ---- names, messages and traces -------------------------------------------------------------------------------

    private static void writeNames(DataOutputStream out, Throwable thrown, Extent extent, int depth) throws IOException {
        if (thrown == null || depth == 0) {
            out.writeByte(NOTHING);
            return;
        }
        out.writeByte(thrown instanceof RayException ? OF_RAYBATCH : REMOTE);
        write(out, thrown.getClass().getName(), extent);
        String message = Told.message(thrown);
        out.writeBoolean(message != null);
        write(out, message == null ? "" : message, extent);
        if (thrown instanceof RayException e) {
            writeDetails(out, e);
        }
        StackTraceElement[] frames = Told.trace(thrown);
        int count = Math.min(frames.length, extent.frames);
        out.writeInt(count);
        for (int n = 0; n < count; n++) {
            write(out, frames[n].getClassName(), extent);
            write(out, frames[n].getMethodName(), extent);
            write(out, frames[n].getFileName() == null ? "" : frames[n].getFileName(), extent);
            out.writeInt(frames[n].getLineNumber());
        }
        writeNames(out, Told.cause(thrown), extent, depth - 1);
    }

    /** Ours are made from their code again, whatever can be written of them. */
    private static void writeDetails(DataOutputStream out, RayException e) throws IOException {
        out.writeInt(e.code().number());
        out.writeLong(e.batchId().orElse(0));
        byte[] object = e.objectId().map(ObjectId::toBytes).orElse(new byte[0]);
        out.writeByte(object.length);
        out.write(object);
        StoreFullException full = e instanceof StoreFullException f ? f : null;
        out.writeLong(full == null ? -1 : full.needed());
        out.writeLong(full == null ? -1 : full.free());
        out.writeLong(full == null ? -1 : full.largestRun());
    }

    private static RayException readDetails(DataInputStream in, String message) throws IOException {
        int code = in.readInt();
        long batch = in.readLong();
        byte[] object = in.readNBytes(in.readByte());
        long[] facts = {in.readLong(), in.readLong(), in.readLong()};
        return RayException.of(code, message, batch, object.length == 0 ? null : object, facts);
    }

    private static Throwable readNames(DataInputStream in) throws IOException {
        byte kind = in.readByte();
        if (kind == NOTHING) {
            return null;
        }
        String name = readText(in);
        boolean hasMessage = in.readBoolean();
        String text = readText(in);
        String message = hasMessage ? text : null;
        RayException ours = kind == OF_RAYBATCH ? readDetails(in, message) : null;
        StackTraceElement[] frames = new StackTraceElement[in.readInt()];
        for (int n = 0; n < frames.length; n++) {
            String type = readText(in);
            String method = readText(in);
            String file = readText(in);
            frames[n] = new StackTraceElement(type, method, file.isEmpty() ? null : file, in.readInt());
        }
        Throwable cause = readNames(in);
        if (ours == null) {
            return new RemoteException(name, message, cause, frames);
        }
        ours.setStackTrace(frames);
        return cause == null || ours.getCause() != null ? ours : withCause(ours, cause);
    }

    private static Throwable withCause(RayException ours, Throwable cause) {
        try {
            ours.initCause(cause);
        } catch (IllegalStateException fixed) {
            ours.addSuppressed(cause);
        }
        return ours;
    }

    // ---- the exception itself -------------------------------------------------------------------------------------

    /** By Java's own serialization; by the serializer where that refuses; with stand-ins for some of its parts otherwise. */
    private static void writeItself(DataOutputStream out, Throwable thrown, Serializer serializer) throws IOException {
        byte form = thrown == null ? NOTHING : BY_JAVA;
        byte[] bytes = thrown == null ? new byte[0] : ThrownForm.whole(thrown);
        if (bytes == null) {
            form = BY_SERIALIZER;
            bytes = bySerializer(thrown, serializer);
        }
        if (bytes == null) {
            form = BY_JAVA;
            bytes = ThrownForm.withStandIns(thrown);
        }
        if (bytes == null || bytes.length > MOST_BYTES) {
            form = NOTHING;
            bytes = new byte[0];
        }
        out.writeByte(form);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static byte[] bySerializer(Throwable thrown, Serializer serializer) {
        try {
            return serializer.serialize(thrown);
        } catch (Exception | StackOverflowError | LinkageError refused) {
            return null;
        }
    }

    /** Null where that cannot be. */
    private static Throwable readItself(DataInputStream in, ClassLoader writer, Serializer serializer) throws IOException {
        byte form = in.readByte();
        byte[] bytes = readBytes(in);
        try {
            Object read = switch (form) {
                case BY_JAVA -> ThrownForm.read(bytes, writer);
                case BY_SERIALIZER -> serializer.deserialize(bytes);
                default -> null;
            };
            return read instanceof Throwable thrown ? thrown : null;
        } catch (Exception | StackOverflowError | LinkageError unreadable) {
            return null;
        }
    }
}
