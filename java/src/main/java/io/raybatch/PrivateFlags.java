package io.raybatch;

import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import org.apache.fory.reflect.FieldAccessor;

/**
 * Two properties of collections of the JDK that no method tells: read from the field, as Fory reads all fields, and where that
 * cannot be, found out by trying.
 */
final class PrivateFlags {

    private static final FieldAccessor ACCESS_ORDER = accessor(LinkedHashMap.class, "accessOrder");
    private static final FieldAccessor ALLOW_NULLS = accessor(List.of(1, 2, 3).getClass(), "allowNulls");

    private PrivateFlags() {}

    private static FieldAccessor accessor(Class<?> type, String field) {
        try {
            return FieldAccessor.createAccessor(type.getDeclaredField(field));
        } catch (NoSuchFieldException | RuntimeException | LinkageError otherJdk) {
            return null;
        }
    }

    /** True if {@code get} moves what it finds to the end. */
    static boolean isInAccessOrder(LinkedHashMap<?, ?> map) {
        if (ACCESS_ORDER != null) {
            return ACCESS_ORDER.getBoolean(map);
        }
        if (map.size() < 2) {
            return false;
        }
        LinkedHashMap<?, ?> copy = (LinkedHashMap<?, ?>) map.clone();
        Object first = copy.keySet().iterator().next();
        copy.get(first);
        Iterator<?> keys = copy.keySet().iterator();
        return keys.next() != first;
    }

    /** True for an immutable list that may have nulls: one that may not refuses to look for one. */
    static boolean allowsNull(List<?> list) {
        return ALLOW_NULLS != null ? ALLOW_NULLS.getBoolean(list) : triesNull(list);
    }

    /** As {@link #allowsNull}, for any immutable list. */
    static boolean triesNull(List<?> list) {
        try {
            list.contains(null);
            return true;
        } catch (NullPointerException refused) {
            return false;
        }
    }
}
