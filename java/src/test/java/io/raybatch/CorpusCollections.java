package io.raybatch;

import static io.raybatch.Kind.behaves;
import static io.raybatch.Kind.equal;
import static io.raybatch.Kind.refused;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Hashtable;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.PriorityQueue;
import java.util.Properties;
import java.util.Set;
import java.util.SortedMap;
import java.util.SortedSet;
import java.util.Stack;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.Vector;
import java.util.WeakHashMap;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CopyOnWriteArraySet;
import java.util.concurrent.LinkedBlockingDeque;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.LinkedTransferQueue;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Collections, their wrappers and their views. */
final class CorpusCollections {

    enum Size { SMALL, LARGE { @Override int rank() { return 9; } }; int rank() { return 1; } }

    private CorpusCollections() {}

    /** What a collection has, in order, and whether it can be changed. */
    private static <T extends Collection<?>> Kind ordered(String name, java.util.function.Supplier<T> value) {
        return behaves(name, value, all -> List.of(Arrays.asList(all.toArray()), changes(all)));
    }

    private static <T extends Map<?, ?>> Kind orderedMap(String name, java.util.function.Supplier<T> value) {
        return behaves(name, value, map -> List.of(
                map.entrySet().stream().map(e -> Arrays.asList(e.getKey(), e.getValue())).toList(), changesMap(map)));
    }

    private static boolean changes(Collection<?> all) {
        try {
            all.clear();
            return true;
        } catch (UnsupportedOperationException fixed) {
            return false;
        }
    }

    private static boolean changesMap(Map<?, ?> map) {
        try {
            map.clear();
            return true;
        } catch (UnsupportedOperationException fixed) {
            return false;
        }
    }

    private static Map<String, Integer> fill(Map<String, Integer> map) {
        for (String key : List.of("banana", "Apple", "cherry", "apple", "dates")) {
            map.put(key, key.length());
        }
        return map;
    }

    private static <C extends Collection<String>> C fill(C all) {
        all.addAll(List.of("banana", "Apple", "cherry", "apple", "dates"));
        return all;
    }

    private static <T> T with(T value, java.util.function.Consumer<T> change) {
        change.accept(value);
        return value;
    }

    private static Object poll(Collection<String> queue) {
        java.util.Queue<String> copy = (java.util.Queue<String>) queue;
        List<String> order = new ArrayList<>();
        while (!copy.isEmpty()) {
            order.add(copy.poll());
        }
        return order;
    }

    static List<Kind> all() {
        List<Kind> all = new ArrayList<>(lists());
        all.addAll(sets());
        all.addAll(maps());
        all.addAll(queues());
        all.addAll(wrappers());
        return all;
    }

    private static List<Kind> lists() {
        return List.of(
                equal("ArrayList", () -> fill(new ArrayList<>())),
                equal("ArrayList of nulls", () -> new ArrayList<>(Arrays.asList(null, "a", null))),
                equal("ArrayList mixed", () -> new ArrayList<>(Arrays.asList(1, "a", 2.5, 'c', 7L, null, Size.LARGE))),
                equal("ArrayList empty", ArrayList::new),
                equal("LinkedList", () -> fill(new LinkedList<>())),
                equal("Vector", () -> fill(new Vector<>())),
                equal("Stack", () -> fill(new Stack<>())),
                equal("CopyOnWriteArrayList", () -> fill(new CopyOnWriteArrayList<>())),
                ordered("List.of none", List::of),
                ordered("List.of one", () -> List.of("a")),
                ordered("List.of two", () -> List.of("a", "b")),
                ordered("List.of many", () -> List.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)),
                behaves("List.of refuses to look for null", () -> List.of(1, 2, 3), CorpusCollections::looksForNull),
                behaves("List.of two refuses to look for null", () -> List.of(1, 2), CorpusCollections::looksForNull),
                ordered("List.copyOf", () -> List.copyOf(new ArrayList<>(List.of("a", "b", "c")))),
                ordered("Stream.toList", () -> Stream.of("a", "b").toList()),
                ordered("Stream.toList with null", () -> Stream.of("a", null).toList()),
                ordered("Stream.toList with three nulls", () -> Stream.of(null, null, null).toList()),
                behaves("Stream.toList looks for null", () -> Stream.of("a", "b", "c").toList(), CorpusCollections::looksForNull),
                ordered("Stream.toList none", () -> Stream.of().toList()),
                ordered("Collectors.toUnmodifiableList", () -> Stream.of("a", "b", "c").collect(Collectors.toUnmodifiableList())),
                ordered("List.of subList", () -> List.of(1, 2, 3, 4, 5).subList(1, 4)),
                behaves("Arrays.asList", () -> Arrays.asList("a", null, "c"), list -> List.of(list.toString(), set(list), list.toString())),
                behaves("Arrays.asList of integers", () -> Arrays.asList(1, 2), list -> list.toArray().getClass() + list.toString()),
                equal("ArrayList subList", () -> fill(new ArrayList<>()).subList(1, 4)),
                equal("ArrayList subList of subList", () -> fill(new ArrayList<>()).subList(1, 5).subList(1, 3)),
                equal("LinkedList subList", () -> fill(new LinkedList<>()).subList(1, 4)),
                equal("Vector subList", () -> fill(new Vector<>()).subList(1, 4)),
                equal("CopyOnWriteArrayList subList", () -> fill(new CopyOnWriteArrayList<>()).subList(1, 4)),
                equal("Arrays.asList subList", () -> Arrays.asList("a", "b", "c").subList(0, 2)),
                ordered("Collections.nCopies", () -> Collections.nCopies(3, "x")),
                ordered("Collections.emptyList", Collections::emptyList),
                ordered("Collections.singletonList", () -> Collections.singletonList("x")),
                ordered("Collections.singletonList of null", () -> Collections.singletonList(null)),
                equal("nested lists", () -> List.of(List.of(1, 2), new ArrayList<>(List.of(List.of(), Set.of(1)))) ),
                behaves("a list that has itself", () -> with(new ArrayList<Object>(), list -> list.add(list)), list -> list.get(0) == list),
                behaves("one element twice", () -> with(new ArrayList<Object>(), list -> {
                    Object one = new ArrayList<>();
                    list.add(one);
                    list.add(one);
                }), list -> list.get(0) == list.get(1)));
    }

    private static Object looksForNull(List<?> list) {
        try {
            return list.contains(null);
        } catch (NullPointerException refuses) {
            return "refuses";
        }
    }

    private static Object set(List<String> list) {
        list.set(0, "z");
        try {
            list.add("y");
            return "grows";
        } catch (UnsupportedOperationException fixed) {
            return "fixed";
        }
    }

    private static List<Kind> sets() {
        return List.of(
                equal("HashSet", () -> fill(new HashSet<>())),
                equal("HashSet of null", () -> new HashSet<>(Arrays.asList("a", null))),
                ordered("LinkedHashSet", () -> fill(new LinkedHashSet<>())),
                ordered("TreeSet", () -> fill(new TreeSet<>())),
                ordered("TreeSet reversed", () -> fill(new TreeSet<>(Comparator.reverseOrder()))),
                behaves("TreeSet case insensitive", () -> fill(new TreeSet<>(String.CASE_INSENSITIVE_ORDER)),
                        set -> set.add("CHERRY") + set.toString()),
                behaves("TreeSet nullsFirst", () -> new TreeSet<>(Comparator.nullsFirst(Comparator.<String>naturalOrder())),
                        set -> set.add(null) + " " + set.add("a") + set),
                ordered("TreeSet descendingSet", () -> fill(new TreeSet<>()).descendingSet()),
                ordered("TreeSet headSet", () -> fill(new TreeSet<>()).headSet("banana")),
                ordered("TreeSet subSet", () -> fill(new TreeSet<>()).subSet("a", "c")),
                ordered("ConcurrentSkipListSet", () -> fill(new ConcurrentSkipListSet<>(Comparator.reverseOrder()))),
                ordered("ConcurrentSkipListSet tailSet", () -> fill(new ConcurrentSkipListSet<>()).tailSet("b")),
                ordered("CopyOnWriteArraySet", () -> fill(new CopyOnWriteArraySet<>())),
                equal("Set.of none", Set::of),
                equal("Set.of one", () -> Set.of("a")),
                equal("Set.of many", () -> Set.of(1, 2, 3, 4, 5, 6, 7)),
                behaves("Set.of cannot change", () -> Set.of(1, 2), CorpusCollections::changes),
                equal("Set.copyOf", () -> Set.copyOf(List.of("a", "b"))),
                equal("Collectors.toSet", () -> Stream.of(1, 2).collect(Collectors.toSet())),
                equal("EnumSet", () -> EnumSet.of(Size.LARGE)),
                equal("EnumSet none", () -> EnumSet.noneOf(Size.class)),
                behaves("EnumSet knows its type", () -> EnumSet.noneOf(Size.class), EnumSet::complementOf),
                equal("EnumSet all", () -> EnumSet.allOf(Thread.State.class)),
                equal("EnumSet jumbo", () -> EnumSet.of(Many.E70, Many.E1)),
                equal("ConcurrentHashMap.newKeySet", () -> fill(ConcurrentHashMap.newKeySet())),
                equal("HashMap keySet", () -> fill(new HashMap<>()).keySet()),
                equal("HashMap entrySet", () -> fill(new HashMap<>()).entrySet()),
                ordered("LinkedHashMap keySet", () -> fill(new LinkedHashMap<>()).keySet()),
                ordered("TreeMap keySet", () -> fill(new TreeMap<>()).keySet()),
                ordered("TreeMap navigableKeySet", () -> new TreeMap<>(fill(new HashMap<>())).descendingKeySet()),
                equal("ConcurrentHashMap keySet", () -> fill(new ConcurrentHashMap<>()).keySet()),
                equal("Map.of keySet", () -> Map.of("a", 1, "b", 2).keySet()),
                equal("Map.of entrySet", () -> Map.of("a", 1).entrySet()),
                behaves("HashMap values", () -> fill(new HashMap<>()).values(), all -> all.stream().sorted().toList()),
                behaves("LinkedHashMap values", () -> fill(new LinkedHashMap<>()).values(), ArrayList::new),
                behaves("TreeMap values", () -> fill(new TreeMap<>()).values(), ArrayList::new),
                equal("Collections.emptySet", Collections::emptySet),
                equal("Collections.singleton", () -> Collections.singleton(null)),
                equal("Collections.newSetFromMap", () -> fill(Collections.newSetFromMap(new ConcurrentHashMap<>()))),
                behaves("identity set", () -> with(Collections.newSetFromMap(new IdentityHashMap<>()), set -> set.add(List.of())), Set::size),
                ordered("Collections.emptySortedSet", Collections::emptySortedSet),
                ordered("Collections.emptyNavigableSet", Collections::emptyNavigableSet));
    }

    @SuppressWarnings("unused")
    enum Many {
        E0, E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13, E14, E15, E16, E17, E18, E19, E20, E21, E22, E23, E24, E25, E26,
        E27, E28, E29, E30, E31, E32, E33, E34, E35, E36, E37, E38, E39, E40, E41, E42, E43, E44, E45, E46, E47, E48, E49, E50, E51,
        E52, E53, E54, E55, E56, E57, E58, E59, E60, E61, E62, E63, E64, E65, E66, E67, E68, E69, E70
    }

    private static List<Kind> maps() {
        return List.of(
                equal("HashMap", () -> fill(new HashMap<>())),
                equal("HashMap of nulls", () -> with(new HashMap<String, String>(), m -> {
                    m.put(null, "x");
                    m.put("y", null);
                })),
                orderedMap("LinkedHashMap", () -> fill(new LinkedHashMap<>())),
                behaves("LinkedHashMap in access order", () -> fill(new LinkedHashMap<>(16, 0.75f, true)), map -> {
                    map.get("banana");
                    return List.copyOf(map.keySet());
                }),
                behaves("empty LinkedHashMap in access order", () -> new LinkedHashMap<String, Integer>(16, 0.75f, true), map -> {
                    fill(map);
                    map.get("banana");
                    return List.copyOf(map.keySet());
                }),
                orderedMap("TreeMap", () -> fill(new TreeMap<>())),
                orderedMap("TreeMap reversed", () -> fill(new TreeMap<>(Comparator.reverseOrder()))),
                behaves("TreeMap case insensitive", () -> fill(new TreeMap<>(String.CASE_INSENSITIVE_ORDER)), map -> map.get("CHERRY")),
                behaves("TreeMap with a serializable comparator",
                        () -> fill(new TreeMap<>((Comparator<String> & java.io.Serializable) (a, b) -> b.length() - a.length())),
                        map -> with(map, m -> m.put("q", 1)).toString()),
                refused("TreeMap with a lambda that is not serializable", () -> fill(new TreeMap<>((a, b) -> b.compareTo(a))), "erializable"),
                orderedMap("TreeMap descendingMap", () -> new TreeMap<>(fill(new HashMap<>())).descendingMap()),
                orderedMap("TreeMap headMap", () -> new TreeMap<>(fill(new HashMap<>())).headMap("b")),
                orderedMap("TreeMap subMap", () -> new TreeMap<>(fill(new HashMap<>())).subMap("a", "c")),
                orderedMap("ConcurrentSkipListMap", () -> fill(new ConcurrentSkipListMap<>(Comparator.reverseOrder()))),
                orderedMap("ConcurrentSkipListMap subMap", () -> new ConcurrentSkipListMap<>(fill(new HashMap<>())).subMap("a", "c")),
                equal("ConcurrentHashMap", () -> fill(new ConcurrentHashMap<>())),
                equal("Hashtable", () -> fill(new Hashtable<>())),
                equal("Properties", () -> with(new Properties(), p -> p.setProperty("a", "b"))),
                behaves("Properties with defaults", () -> new Properties(with(new Properties(), p -> p.setProperty("a", "b"))),
                        p -> p.getProperty("a")),
                behaves("IdentityHashMap", () -> with(new IdentityHashMap<Object, Object>(), map -> {
                    map.put(new ArrayList<>(), 1);
                    map.put(new ArrayList<>(), 2);
                }), map -> map.size() + " " + Set.copyOf(map.values()).equals(Set.of(1, 2)) + map.get(new ArrayList<>())),
                equal("WeakHashMap of strings", () -> with(new WeakHashMap<Object, Object>(), map -> map.put("kept", 1))),
                equal("EnumMap", () -> with(new EnumMap<Size, String>(Size.class), map -> map.put(Size.LARGE, "l"))),
                equal("EnumMap with null", () -> with(new EnumMap<Size, String>(Size.class), map -> map.put(Size.LARGE, null))),
                behaves("EnumMap none", () -> new EnumMap<Size, String>(Size.class), map -> with(map, m -> m.put(Size.SMALL, "s")).toString()),
                equal("Map.of none", Map::of),
                equal("Map.of one", () -> Map.of("a", 1)),
                equal("Map.of many", () -> Map.of(1, 2, 3, 4, 5, 6, 7, 8)),
                behaves("Map.of cannot change", () -> Map.of(1, 2), CorpusCollections::changesMap),
                equal("Map.copyOf", () -> Map.copyOf(fill(new HashMap<>()))),
                equal("Collectors.groupingBy", () -> IntStream.range(0, 9).boxed().collect(Collectors.groupingBy(n -> n % 3))),
                equal("Collectors.partitioningBy", () -> IntStream.range(0, 9).boxed().collect(Collectors.partitioningBy(n -> n % 3 == 0))),
                equal("Map.entry", () -> Map.entry("a", 1)),
                equal("SimpleEntry", () -> new java.util.AbstractMap.SimpleEntry<>("a", null)),
                equal("SimpleImmutableEntry", () -> new java.util.AbstractMap.SimpleImmutableEntry<>("a", 1)),
                equal("HashMap entry", () -> new HashMap<>(Map.of("a", 1)).entrySet().iterator().next()),
                equal("TreeMap firstEntry", () -> new TreeMap<>(Map.of("a", 1)).firstEntry()),
                equal("Collections.emptyMap", Collections::emptyMap),
                equal("Collections.singletonMap", () -> Collections.singletonMap(null, 1)),
                orderedMap("Collections.emptySortedMap", Collections::emptySortedMap),
                orderedMap("Collections.emptyNavigableMap", Collections::emptyNavigableMap),
                behaves("a map that has itself", () -> with(new HashMap<String, Object>(), map -> map.put("me", map)), map -> map.get("me") == map),
                equal("nested generics", () -> Map.of("k", List.of(Map.of(1, Set.of(List.of(2.5)))))));
    }

    private static List<Kind> queues() {
        Function<Collection<String>, Object> poll = CorpusCollections::poll;
        return List.of(
                behaves("ArrayDeque", () -> fill(new ArrayDeque<>()), ArrayList::new),
                behaves("PriorityQueue", () -> fill(new PriorityQueue<>()), poll),
                behaves("PriorityQueue reversed", () -> fill(new PriorityQueue<>(Comparator.reverseOrder())), poll),
                behaves("PriorityBlockingQueue", () -> fill(new PriorityBlockingQueue<>(9, Comparator.reverseOrder())), poll),
                behaves("ConcurrentLinkedQueue", () -> fill(new ConcurrentLinkedQueue<>()), ArrayList::new),
                behaves("ConcurrentLinkedDeque", () -> fill(new ConcurrentLinkedDeque<>()), ArrayList::new),
                behaves("LinkedBlockingQueue", () -> fill(new LinkedBlockingQueue<>(7)), q -> q.remainingCapacity() + q.toString()),
                behaves("LinkedBlockingDeque", () -> fill(new LinkedBlockingDeque<>(7)), q -> q.remainingCapacity() + q.toString()),
                behaves("ArrayBlockingQueue", () -> fill(new ArrayBlockingQueue<>(7)), q -> q.remainingCapacity() + q.toString()),
                behaves("LinkedTransferQueue", () -> fill(new LinkedTransferQueue<>()), ArrayList::new),
                behaves("Collections.asLifoQueue", () -> Collections.asLifoQueue(fill(new ArrayDeque<>())),
                        q -> with(q, some -> some.add("new")).peek()));
    }

    private static List<Kind> wrappers() {
        List<Kind> all = new ArrayList<>();
        all.add(ordered("unmodifiableList", () -> Collections.unmodifiableList(fill(new ArrayList<>()))));
        all.add(ordered("unmodifiableList of a linked one", () -> Collections.unmodifiableList(fill(new LinkedList<>()))));
        all.add(equal("unmodifiableSet", () -> Collections.unmodifiableSet(fill(new HashSet<>()))));
        all.add(ordered("unmodifiableSet of a linked one", () -> Collections.unmodifiableSet(fill(new LinkedHashSet<>()))));
        all.add(ordered("unmodifiableSortedSet", () -> Collections.unmodifiableSortedSet(fill(new TreeSet<>()))));
        all.add(ordered("unmodifiableNavigableSet", () -> Collections.unmodifiableNavigableSet(fill(new TreeSet<>()))));
        all.add(ordered("unmodifiableCollection", () -> Collections.unmodifiableCollection(fill(new ArrayList<>()))));
        all.add(equal("unmodifiableMap", () -> Collections.unmodifiableMap(fill(new HashMap<>()))));
        all.add(orderedMap("unmodifiableMap of a linked one", () -> Collections.unmodifiableMap(fill(new LinkedHashMap<>()))));
        all.add(orderedMap("unmodifiableSortedMap", () -> Collections.unmodifiableSortedMap(new TreeMap<>(fill(new HashMap<>())))));
        all.add(orderedMap("unmodifiableNavigableMap", () -> Collections.unmodifiableNavigableMap(new TreeMap<>(fill(new HashMap<>())))));
        all.add(equal("unmodifiableMap entrySet", () -> Collections.unmodifiableMap(new HashMap<>(Map.of("a", 1))).entrySet()));
        all.add(equal("synchronizedList", () -> Collections.synchronizedList(fill(new ArrayList<>()))));
        all.add(equal("synchronizedSet", () -> Collections.synchronizedSet(fill(new HashSet<>()))));
        all.add(ordered("synchronizedSortedSet", () -> Collections.synchronizedSortedSet(fill(new TreeSet<>()))));
        all.add(ordered("synchronizedNavigableSet", () -> Collections.synchronizedNavigableSet(fill(new TreeSet<>()))));
        all.add(ordered("synchronizedCollection", () -> Collections.synchronizedCollection(fill(new ArrayList<>()))));
        all.add(equal("synchronizedMap", () -> Collections.synchronizedMap(fill(new HashMap<>()))));
        all.add(orderedMap("synchronizedSortedMap", () -> Collections.synchronizedSortedMap(new TreeMap<>(fill(new HashMap<>())))));
        all.add(orderedMap("synchronizedNavigableMap", () -> Collections.synchronizedNavigableMap(new TreeMap<>(fill(new HashMap<>())))));
        all.add(behaves("checkedList", () -> Collections.checkedList(fill(new ArrayList<>()), String.class), CorpusCollections::checks));
        all.add(behaves("checkedSet", () -> Collections.checkedSet(fill(new HashSet<>()), String.class), CorpusCollections::checks));
        all.add(behaves("checkedSortedSet", () -> Collections.checkedSortedSet(fill(new TreeSet<>()), String.class), CorpusCollections::checks));
        all.add(behaves("checkedCollection", () -> Collections.checkedCollection(fill(new ArrayList<>()), String.class), CorpusCollections::checks));
        all.add(behaves("checkedQueue", () -> Collections.checkedQueue(fill(new LinkedList<>()), String.class), CorpusCollections::checks));
        all.add(equal("checkedMap", () -> Collections.checkedMap(fill(new HashMap<>()), String.class, Integer.class)));
        all.add(equal("checkedNavigableMap", () -> Collections.checkedNavigableMap(
                new TreeMap<>(fill(new HashMap<>())), String.class, Integer.class)));
        all.add(equal("synchronized unmodifiable", () -> Collections.synchronizedList(Collections.unmodifiableList(fill(new ArrayList<>())))));
        all.add(behaves("reverseOrder", Collections::<String>reverseOrder, c -> c.compare("a", "b")));
        all.add(behaves("comparator of a wrapped sorted map",
                () -> Collections.unmodifiableSortedMap(fillSorted(new TreeMap<>(String.CASE_INSENSITIVE_ORDER))), map -> map.get("CHERRY")));
        all.add(behaves("a cache that extends LinkedHashMap", () -> new LastUsed<String, Integer>(3), map -> with(map, CorpusCollections::fill).toString()));
        all.add(equal("anonymous subclass of ArrayList", () -> names()));
        all.add(behaves("NavigableMap behind an interface", () -> (NavigableMap<String, Integer>) new TreeMap<>(fill(new HashMap<>())), NavigableMap::lastKey));
        all.add(behaves("SortedSet behind an interface", () -> (SortedSet<String>) fill(new TreeSet<String>()), SortedSet::last));
        all.add(behaves("NavigableSet reversed view", () -> ((NavigableSet<String>) fill(new TreeSet<String>())).descendingSet(), NavigableSet::first));
        return all;
    }

    private static SortedMap<String, Integer> fillSorted(SortedMap<String, Integer> map) {
        fill(map);
        return map;
    }

    private static List<String> names() {
        return new ArrayList<>() {
            private static final long serialVersionUID = 1;

            {
                add("anonymous");
            }
        };
    }

    @SuppressWarnings("unchecked")
    private static Object checks(Collection<String> all) {
        try {
            ((Collection<Object>) (Collection<?>) all).add(7);
            return "takes anything";
        } catch (ClassCastException checked) {
            return new ArrayList<>(all);
        }
    }

    /** A cache as applications write them: in access order, of limited size. */
    static final class LastUsed<K, V> extends LinkedHashMap<K, V> {

        private static final long serialVersionUID = 1;
        private final int most;

        LastUsed(int most) {
            super(16, 0.75f, true);
            this.most = most;
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
            return size() > most;
        }
    }
}
