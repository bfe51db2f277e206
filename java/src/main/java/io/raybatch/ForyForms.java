package io.raybatch;

import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.util.AbstractMap;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
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
    static void register(Fory fory, ValueLoader loader) {
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
    }

    /** By Java's own serialization. */
    static Serializer<?> byJava(TypeResolver types, Class type, ValueLoader loader) {
        return ofAny(types, type, new ByJava(loader));
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
                return new Copy<List>(list -> allowsNull(list) ? list.stream().toList() : List.copyOf(list));
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

    /** True for an immutable list that may have nulls: one that may not refuses to look for one. */
    private static boolean allowsNull(List<?> list) {
        try {
            list.contains(null);
            return true;
        } catch (NullPointerException refused) {
            return false;
        }
    }

    /** Something equal takes its place. */
    private record Copy<T>(java.util.function.Function<T, Object> copier) implements Form {

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
    private record ByJava(ValueLoader loader) implements Form {

        @Override
        public void write(WriteContext out, Object value) {
            try {
                byte[] bytes = JavaForm.write(value, loader);
                out.getBuffer().writeVarUInt32(bytes.length);
                out.getBuffer().writeBytes(bytes);
            } catch (java.io.NotSerializableException e) {
                throw new UnsupportedOperationException("a " + value.getClass().getTypeName() + " is written by Java's serialization,"
                        + " and has a part that is not java.io.Serializable: " + e.getMessage(), e);
            } catch (java.io.IOException e) {
                throw new UnsupportedOperationException("a " + value.getClass().getTypeName() + " cannot be written by Java's"
                        + " serialization: " + e, e);
            }
        }

        @Override
        public Object read(ReadContext in) {
            try {
                byte[] bytes = in.getBuffer().readBytes(in.getBuffer().readVarUInt32());
                return JavaForm.read(bytes, loader);
            } catch (java.io.IOException | ClassNotFoundException e) {
                throw new IllegalStateException(e.toString(), e);
            }
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
