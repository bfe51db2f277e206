package io.raybatch;

import java.io.IOException;
import java.nio.CharBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.Stream;
import org.apache.fory.Fory;
import org.apache.fory.context.ReadContext;
import org.apache.fory.context.WriteContext;
import org.apache.fory.resolver.TypeResolver;
import org.apache.fory.serializer.Serializer;
import org.apache.fory.serializer.collection.CollectionSerializer;
import org.apache.fory.serializer.collection.ImmutableCollectionSerializers;
import org.apache.fory.serializer.collection.MapSerializer;

/** The forms of classes of the platform whose form is ours: {@link ForyRules} says which. */
@SuppressWarnings({"rawtypes", "unchecked"}) // as Fory declares them
final class ForyForms {

    private ForyForms() {}

    /** Puts ours in the place of those that Fory has by itself. */
    static void register(Fory fory, ForyPool pool) {
        TypeResolver types = fory.getTypeResolver();
        fory.registerSerializer(LinkedHashMap.class, new OfLinkedHashMap(types));
        Class<?> listN = List.of(1, 2, 3).getClass();
        fory.registerSerializer(listN, new OfImmutableList(types, listN));
        List<Object> plain = new LinkedList<>(List.of(1, 2, 3));
        List<Object> random = new ArrayList<>(plain);
        for (List<?> view : List.of(plain.subList(0, 1), plain.subList(0, 2).subList(0, 1), random.subList(0, 1),
                java.util.Arrays.asList(1, 2).subList(0, 1), List.of(1, 2, 3).subList(0, 2))) {
            Class type = view.getClass();
            fory.registerSerializer(type, new OfCollection(types, type, Form.ofView(type)));
        }
        fory.registerSerializer(ZonedDateTime.class, new OfZonedDateTime(types));
        fory.registerSerializer(Locale.class, new OfObject(types, Locale.class, new ByJava(new JavaForm(pool, types))));
        Class keys = ConcurrentHashMap.newKeySet().getClass();
        fory.registerSerializer(keys, new OfCollection(types, keys, new Made<Set, Object[]>(Set::toArray, ForyForms::keySet)));
    }

    private static Set keySet(Object[] elements) {
        Set keys = ConcurrentHashMap.newKeySet(elements.length);
        Collections.addAll(keys, elements);
        return keys;
    }

    /** By Java's own serialization. */
    static Serializer<?> byJava(TypeResolver types, Class type, ForyPool pool) {
        return ofAny(types, type, new ByJava(new JavaForm(pool, types)));
    }

    /** As what can be written and is equal. */
    static Serializer<?> copy(TypeResolver types, Class<?> type) {
        return ofAny(types, type, Form.ofView(type));
    }

    /** Fory has collections and maps written by serializers of those. */
    private static Serializer<?> ofAny(TypeResolver types, Class type, Form form) {
        if (Collection.class.isAssignableFrom(type)) {
            return new OfCollection(types, type, form);
        }
        return Map.class.isAssignableFrom(type) ? new OfMap(types, type, form) : new OfObject(types, type, form);
    }

    /** What is written for a value. */
    interface Form {

        void write(WriteContext out, Object value);

        Object read(ReadContext in);

        /** A view, or an entry: written as a copy that stands by itself. */
        static Form ofView(Class<?> type) {
            if (SortedSet.class.isAssignableFrom(type)) {
                return new Copy<SortedSet>(TreeSet::new);
            } else if (Set.class.isAssignableFrom(type)) {
                return new Copy<Set>(LinkedHashSet::new);
            } else if (List.class.isAssignableFrom(type) && type == List.of(1, 2, 3).subList(0, 2).getClass()) {
                return new Copy<List>(list -> PrivateFlags.triesNull(list) ? list.stream().toList() : List.copyOf(list));
            } else if (Collection.class.isAssignableFrom(type)) {
                return new Copy<Collection>(ArrayList::new);
            } else if (SortedMap.class.isAssignableFrom(type)) {
                return new Copy<SortedMap>(TreeMap::new);
            } else if (Map.class.isAssignableFrom(type)) {
                return new Copy<Map>(LinkedHashMap::new);
            } else if (type == Map.entry(1, 1).getClass()) {
                return new OfEntry();
            }
            return new Copy<Map.Entry>(AbstractMap.SimpleEntry::new);
        }
    }

    /** Something equal takes its place. */
    private record Copy<T>(Function<T, Object> copier) implements Form {

        @Override
        public void write(WriteContext out, Object value) {
            out.increaseDepth();
            out.writeRef(copier.apply((T) value));
            out.decreaseDepth();
        }

        @Override
        public Object read(ReadContext in) {
            return in.readRef();
        }
    }

    /** {@link Map#entry}. */
    private record OfEntry() implements Form {

        @Override
        public void write(WriteContext out, Object value) {
            Map.Entry entry = (Map.Entry) value;
            out.increaseDepth();
            out.writeRef(entry.getKey());
            out.writeRef(entry.getValue());
            out.decreaseDepth();
        }

        @Override
        public Object read(ReadContext in) {
            return Map.entry(in.readRef(), in.readRef());
        }
    }

    /** {@link JavaForm}. */
    private record ByJava(JavaForm form) implements Form {

        @Override
        public void write(WriteContext out, Object value) {
            try {
                byte[] bytes = form.write(value);
                out.getBuffer().writeVarUInt32(bytes.length);
                out.getBuffer().writeBytes(bytes);
            } catch (IOException e) {
                throw new UnsupportedOperationException(
                        "a " + value.getClass().getTypeName() + " cannot be written by Java's serialization: " + e, e);
            }
        }

        @Override
        public Object read(ReadContext in) {
            try {
                return form.read(in.getBuffer().readBytes(in.getBuffer().readVarUInt32()));
            } catch (IOException | ClassNotFoundException e) {
                throw new IllegalStateException(e.toString(), e);
            }
        }
    }

    /** By something else that can be written, and from which it is made. */
    private record Made<T, F>(Function<T, F> taken, Function<F, T> made) implements Form {

        @Override
        public void write(WriteContext out, Object value) {
            out.increaseDepth();
            out.writeRef(taken.apply((T) value));
            out.decreaseDepth();
        }

        @Override
        public Object read(ReadContext in) {
            return made.apply((F) in.readRef());
        }
    }

    /** What remains in a buffer of other elements than bytes; null for what is none. */
    static Serializer<?> ofBuffer(TypeResolver types, Class type) {
        Form form = null;
        if (CharBuffer.class.isAssignableFrom(type)) {
            form = new Made<CharBuffer, String>(CharBuffer::toString, text -> CharBuffer.wrap(text.toCharArray()));
        } else if (ShortBuffer.class.isAssignableFrom(type)) {
            form = new Made<ShortBuffer, short[]>(b -> taken(b.remaining(), short[]::new, b.duplicate()::get), ShortBuffer::wrap);
        } else if (IntBuffer.class.isAssignableFrom(type)) {
            form = new Made<IntBuffer, int[]>(b -> taken(b.remaining(), int[]::new, b.duplicate()::get), IntBuffer::wrap);
        } else if (LongBuffer.class.isAssignableFrom(type)) {
            form = new Made<LongBuffer, long[]>(b -> taken(b.remaining(), long[]::new, b.duplicate()::get), LongBuffer::wrap);
        } else if (FloatBuffer.class.isAssignableFrom(type)) {
            form = new Made<FloatBuffer, float[]>(b -> taken(b.remaining(), float[]::new, b.duplicate()::get), FloatBuffer::wrap);
        } else if (DoubleBuffer.class.isAssignableFrom(type)) {
            form = new Made<DoubleBuffer, double[]>(b -> taken(b.remaining(), double[]::new, b.duplicate()::get), DoubleBuffer::wrap);
        }
        return form == null ? null : new OfObject(types, type, form);
    }

    private static <A> A taken(int length, IntFunction<A> array, Consumer<A> get) {
        A taken = array.apply(length);
        get.accept(taken);
        return taken;
    }

    /** Its zone and its offset: of two equal local times at the end of summer time the offset tells which. */
    private static final class OfZonedDateTime extends Serializer<ZonedDateTime> {

        OfZonedDateTime(TypeResolver types) {
            super(types.getConfig(), ZonedDateTime.class, true);
        }

        @Override
        public void write(WriteContext out, ZonedDateTime time) {
            out.writeInt64(time.toLocalDate().toEpochDay());
            out.writeInt64(time.toLocalTime().toNanoOfDay());
            out.writeInt32(time.getOffset().getTotalSeconds());
            out.writeString(time.getZone().getId());
        }

        @Override
        public ZonedDateTime read(ReadContext in) {
            LocalDateTime local = LocalDateTime.of(LocalDate.ofEpochDay(in.readInt64()), LocalTime.ofNanoOfDay(in.readInt64()));
            ZoneOffset offset = ZoneOffset.ofTotalSeconds(in.readInt32());
            return ZonedDateTime.ofInstant(local, offset, ZoneId.of(in.readString()));
        }
    }

    private static final class OfObject extends Serializer<Object> {

        private final Form form;

        OfObject(TypeResolver types, Class type, Form form) {
            super(types.getConfig(), type);
            this.form = form;
        }

        @Override
        public void write(WriteContext out, Object value) {
            form.write(out, value);
        }

        @Override
        public Object read(ReadContext in) {
            return form.read(in);
        }
    }

    private static final class OfCollection extends CollectionSerializer {

        private final Form form;

        OfCollection(TypeResolver types, Class type, Form form) {
            super(types, type, false);
            this.form = form;
        }

        @Override
        public void write(WriteContext out, Object value) {
            form.write(out, value);
        }

        @Override
        public Object read(ReadContext in) {
            return form.read(in);
        }
    }

    private static final class OfMap extends MapSerializer {

        private final Form form;

        OfMap(TypeResolver types, Class type, Form form) {
            super(types, type, false);
            this.form = form;
        }

        @Override
        public void write(WriteContext out, Object value) {
            form.write(out, value);
        }

        @Override
        public Object read(ReadContext in) {
            return form.read(in);
        }
    }

    /** A path of the default file system, by its text. */
    static final class OfPath extends Serializer<Path> {

        OfPath(TypeResolver types, Class type) {
            super(types.getConfig(), type);
        }

        @Override
        public void write(WriteContext out, Path path) {
            if (path.getFileSystem() != FileSystems.getDefault()) {
                throw new UnsupportedOperationException("the path " + path + " is one of " + path.getFileSystem()
                        + ", which a reader may not have: put its toUri()");
            }
            out.writeString(path.toString());
        }

        @Override
        public Path read(ReadContext in) {
            return Path.of(in.readString());
        }
    }

    /** In insertion order, or in access order. */
    private static final class OfLinkedHashMap extends MapSerializer<LinkedHashMap> {

        OfLinkedHashMap(TypeResolver types) {
            super(types, LinkedHashMap.class, true);
        }

        @Override
        public Map onMapWrite(WriteContext out, LinkedHashMap map) {
            out.getBuffer().writeVarUInt32Small7(map.size());
            out.getBuffer().writeBoolean(PrivateFlags.isInAccessOrder(map));
            return map;
        }

        @Override
        public Map newMap(ReadContext in, boolean entryReadAlwaysAdvances) {
            int size = readMapSize(in, in.getBuffer(), entryReadAlwaysAdvances);
            setNumElements(size);
            LinkedHashMap map = new LinkedHashMap(Math.max(16, (int) Math.min(1 << 30, size / 0.75 + 1)), 0.75f,
                    in.getBuffer().readBoolean());
            in.reference(map);
            return map;
        }
    }

    /** One of more than two elements, or with nulls. */
    private static final class OfImmutableList extends ImmutableCollectionSerializers.ImmutableListSerializer {

        OfImmutableList(TypeResolver types, Class type) {
            super(types, type);
        }

        @Override
        public Collection onCollectionWrite(WriteContext out, Collection list) {
            out.getBuffer().writeVarUInt32Small7(list.size());
            out.getBuffer().writeBoolean(PrivateFlags.allowsNull((List) list));
            return list;
        }

        @Override
        public Collection newCollection(ReadContext in, boolean elementReadAlwaysAdvances) {
            int size = readCollectionSize(in, in.getBuffer(), elementReadAlwaysAdvances);
            setNumElements(size);
            return new Gathered(new Object[size], in.getBuffer().readBoolean());
        }

        @Override
        public Collection onCollectionRead(Collection collection) {
            Gathered gathered = (Gathered) collection;
            return gathered.allowsNull ? Stream.of(gathered.elements).toList() : List.of(gathered.elements);
        }
    }

    /** Elements as they are read. */
    private static final class Gathered extends java.util.AbstractCollection<Object> {

        private final Object[] elements;
        private final boolean allowsNull;
        private int size;

        Gathered(Object[] elements, boolean allowsNull) {
            this.elements = elements;
            this.allowsNull = allowsNull;
        }

        @Override
        public boolean add(Object element) {
            elements[size++] = element;
            return true;
        }

        @Override
        public java.util.Iterator<Object> iterator() {
            return Collections.unmodifiableList(java.util.Arrays.asList(elements)).iterator();
        }

        @Override
        public int size() {
            return size;
        }
    }
}
