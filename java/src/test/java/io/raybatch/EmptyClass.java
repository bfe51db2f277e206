package io.raybatch;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/** The bytes of a public class that has nothing but its constructor. */
final class EmptyClass {

    private static final int PUBLIC_SUPER = 0x21;
    private static final int PUBLIC = 1;

    private EmptyClass() {}

    /** @param name as in {@code java/lang/Object} */
    static byte[] named(String name) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(0xcafebabe);
            out.writeInt(61);
            out.writeShort(10);
            constants(out, name);
            out.writeShort(PUBLIC_SUPER);
            out.writeShort(1);
            out.writeShort(3);
            out.writeShort(0);
            out.writeShort(0);
            out.writeShort(1);
            constructor(out);
            out.writeShort(0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void constants(DataOutputStream out, String name) throws IOException {
        // 1 class, 2 its name, 3 superclass, 4 its name, 5 <init>, 6 ()V, 7 Code, 8 name and type, 9 Object.<init>
        out.writeByte(7);
        out.writeShort(2);
        text(out, name);
        out.writeByte(7);
        out.writeShort(4);
        text(out, "java/lang/Object");
        text(out, "<init>");
        text(out, "()V");
        text(out, "Code");
        out.writeByte(12);
        out.writeShort(5);
        out.writeShort(6);
        out.writeByte(10);
        out.writeShort(3);
        out.writeShort(8);
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        out.writeByte(1);
        out.writeUTF(text);
    }

    private static void constructor(DataOutputStream out) throws IOException {
        out.writeShort(PUBLIC);
        out.writeShort(5);
        out.writeShort(6);
        out.writeShort(1);
        out.writeShort(7);
        byte[] code = {0x2a, (byte) 0xb7, 0, 9, (byte) 0xb1};
        out.writeInt(12 + code.length);
        out.writeShort(1);
        out.writeShort(1);
        out.writeInt(code.length);
        out.write(code);
        out.writeShort(0);
        out.writeShort(0);
    }
}
