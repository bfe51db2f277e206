package io.raybatch;

import static io.raybatch.Kind.behaves;
import static io.raybatch.Kind.equal;
import static io.raybatch.Kind.refused;

import java.io.Externalizable;
import java.io.IOException;
import java.io.ObjectInput;
import java.io.ObjectInputStream;
import java.io.ObjectOutput;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.nio.file.Path;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/** Values of an application's own classes. */
final class CorpusClasses {

    private CorpusClasses() {}

    enum Plain { ONE, TWO }

    enum Bodied {
        ADD { @Override int apply(int a, int b) { return a + b; } },
        SUB { @Override int apply(int a, int b) { return a - b; } };

        abstract int apply(int a, int b);
    }

    public record Open(int n, String text) {}

    record Hidden(long n, List<Open> all, Map<String, Open> byName) {}

    record Job(Path file, Optional<Open> open, Object anything) {}

    record Checked(int n) {
        Checked {
            if (n < 0) {
                throw new IllegalArgumentException("negative");
            }
        }
    }

    record Primitives(boolean z, byte b, short s, char c, int i, long l, float f, double d, int[] array) {
        @Override
        public boolean equals(Object other) {
            return other instanceof Primitives p && z == p.z && b == p.b && s == p.s && c == p.c && i == p.i && l == p.l
                    && f == p.f && d == p.d && Arrays.equals(array, p.array);
        }

        @Override
        public int hashCode() {
            return i;
        }
    }

    record Generic<A, B extends Comparable<B>>(A a, List<? super B> b, Map<A, List<B[]>> c) {}

    sealed interface Shape permits Circle, Square {}

    record Circle(double r) implements Shape {}

    static final class Square implements Shape {
        final double a;

        Square(double a) {
            this.a = a;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Square square && square.a == a;
        }

        @Override
        public int hashCode() {
            return Double.hashCode(a);
        }
    }

    static class Base {
        private final int n;

        Base(int n) {
            this.n = n;
        }

        int n() {
            return n;
        }
    }

    static final class Derived extends Base {
        private final int n;
        private transient int cached = 9;

        Derived(int outer, int inner) {
            super(outer);
            this.n = inner;
        }

        List<Integer> all() {
            return List.of(n(), n, cached);
        }
    }

    static final class Node {
        Node next;
        Node other;
    }

    static final class Hooks implements Serializable {
        private static final long serialVersionUID = 1;
        private transient String secret = "made";

        private void writeObject(ObjectOutputStream out) throws IOException {
            out.defaultWriteObject();
            out.writeUTF("hidden " + secret);
        }

        private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
            in.defaultReadObject();
            secret = in.readUTF().substring(7);
        }
    }

    static final class Replaced implements Serializable {
        private static final long serialVersionUID = 1;
        static final Replaced ONLY = new Replaced();

        private Object readResolve() {
            return ONLY;
        }
    }

    static final class Proxied implements Serializable {
        private static final long serialVersionUID = 1;
        private final transient int n;

        Proxied(int n) {
            this.n = n;
        }

        private Object writeReplace() {
            return new Form(n);
        }

        private record Form(int n) implements Serializable {
            private Object readResolve() {
                return new Proxied(n);
            }
        }
    }

    public static final class External implements Externalizable {
        private static final long serialVersionUID = 1;
        private int n;

        public External() {}

        External(int n) {
            this.n = n;
        }

        @Override
        public void writeExternal(ObjectOutput out) throws IOException {
            out.writeInt(n);
            out.writeObject(List.of(n));
        }

        @Override
        public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
            n = in.readInt();
            in.readObject();
        }
    }

    /** A list without a constructor that takes nothing. */
    static final class Range extends AbstractList<Integer> {
        private final int from;
        private final int to;

        Range(int from, int to) {
            this.from = from;
            this.to = to;
        }

        @Override
        public Integer get(int index) {
            return Objects.checkIndex(index, to - from) + from;
        }

        @Override
        public int size() {
            return to - from;
        }
    }

    static class Failed extends RuntimeException {
        private static final long serialVersionUID = 1;
        private final Open detail;

        Failed(String message, Open detail, Throwable cause) {
            super(message, cause);
            this.detail = detail;
        }
    }

    static final class Holder {
        private final Object held;

        Holder(Object held) {
            this.held = held;
        }
    }

    static List<Kind> all() {
        List<Kind> all = new ArrayList<>(List.of(
                equal("enum", () -> Plain.TWO),
                equal("enum with a body", () -> Bodied.SUB),
                behaves("enums with bodies in a list", () -> List.of(Bodied.ADD, Bodied.SUB), list -> list.get(1).apply(5, 3)),
                equal("array of enums with bodies", () -> new Bodied[] {Bodied.SUB}),
                equal("public record", () -> new Open(1, "x")),
                equal("record with null", () -> new Open(1, null)),
                equal("private record", () -> new Hidden(1, List.of(new Open(1, "a")), Map.of("b", new Open(2, "b")))),
                equal("record of a path", () -> new Job(Path.of("a/b"), Optional.of(new Open(1, "x")), List.of(1))),
                equal("record that checks", () -> new Checked(1)),
                equal("record of primitives", () -> new Primitives(true, (byte) 1, (short) 2, 'c', 4, 5, 6, 7, new int[] {8})),
                behaves("generic record", () -> new Generic<>("a", new ArrayList<>(List.of(1)), Map.of("k", List.<Integer[]>of(new Integer[] {1}))),
                        g -> g.a() + g.b() + g.c().get("k").get(0)[0]),
                equal("sealed record", () -> List.<Shape>of(new Circle(1), new Square(2))),
                equal("Object field of each shape", () -> new Job(null, Optional.empty(), new Circle(3))),
                behaves("fields of one name", () -> new Derived(1, 2), d -> d.all().subList(0, 2)),
                behaves("cycle", () -> {
                    Node a = new Node();
                    a.next = new Node();
                    a.next.next = a;
                    a.other = a.next;
                    return a;
                }, a -> (a.next.next == a) + " " + (a.other == a.next)),
                behaves("writeObject and readObject", Hooks::new, h -> h.secret),
                behaves("readResolve", () -> Replaced.ONLY, r -> r == Replaced.ONLY),
                behaves("writeReplace", () -> new Proxied(7), p -> p.n),
                behaves("Externalizable", () -> new External(7), e -> e.n),
                equal("list of one's own", () -> new Range(3, 6)),
                behaves("serializable lambda", () -> (Function<Integer, Integer> & Serializable) n -> n + 1, f -> f.apply(6)),
                behaves("lambda that captures", () -> capturing(new Open(7, "seven")), Supplier::get),
                behaves("method reference", () -> (Function<String, Integer> & Serializable) String::length, f -> f.apply("abc")),
                behaves("task function", () -> (RayFunc1<Integer, Integer>) n -> n * 2, f -> call(f)),
                equal("own Class", () -> Open.class),
                equal("own array Class", () -> Open[].class),
                equal("array of records", () -> new Open[] {new Open(1, "a"), null}),
                equal("array of records of rank 2", () -> new Open[][] {{new Open(1, "a")}, null}),
                behaves("exception", () -> new Failed("m", new Open(1, "x"), new IOException("c")),
                        e -> e.getMessage() + e.detail + e.getCause() + e.getStackTrace()[0]),
                behaves("exception with a suppressed one", CorpusClasses::suppressed,
                        e -> e.getSuppressed().length + e.getSuppressed()[0].getMessage() + e.getCause()),
                behaves("exception without a cause", () -> new IllegalStateException("x", null), e -> String.valueOf(e.getCause())),
                behaves("exception that is its own cause", () -> new Exception("x"), e -> e.getCause() + e.getMessage()),
                behaves("error", () -> new AssertionError("a", new Error("b")), e -> e.getMessage() + e.getCause().getMessage()),
                behaves("proxy", () -> proxy(), c -> c.compareTo("x")),
                behaves("class without Serializable", () -> new Holder(new Holder(7)), h -> ((Holder) h.held).held),
                refused("class that has a Thread", () -> new Holder(new Thread("never started")), "java.lang.Thread"),
                refused("record of a stream", () -> new Job(null, null, List.of(1).stream()), "java.util.stream")));
        return all;
    }

    @SuppressWarnings("unchecked")
    private static Comparable<Object> proxy() {
        return (Comparable<Object>) java.lang.reflect.Proxy.newProxyInstance(
                CorpusClasses.class.getClassLoader(), new Class<?>[] {Comparable.class}, new Handler(7));
    }

    private record Handler(int n) implements java.lang.reflect.InvocationHandler, Serializable {
        @Override
        public Object invoke(Object proxy, java.lang.reflect.Method method, Object[] args) {
            return n;
        }
    }

    private static int call(RayFunc1<Integer, Integer> f) {
        try {
            return f.call(4);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static Supplier<Object> capturing(Open open) {
        return (Supplier<Object> & Serializable) () -> open;
    }

    private static Exception suppressed() {
        Exception e = new Exception("outer", new IOException("cause"));
        e.addSuppressed(new IllegalStateException("suppressed"));
        return e;
    }
}
