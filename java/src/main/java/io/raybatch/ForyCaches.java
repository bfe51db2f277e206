package io.raybatch;

import java.lang.reflect.Field;
import java.util.Map;
import org.apache.fory.util.function.Functions;

/**
 * What Fory 1.6.0 keeps for good of each record that is not public: functions that read its components, in a map whose entries are
 * to go when all their keys are unreachable, of which one is {@code Object.class}. They keep the record's loader reachable. A
 * serializer that was made has them itself, so the map can be emptied. It is private: this is the one place where raybatch looks
 * into another library, and where that is not allowed, as on the module path, the loader stays.
 */
final class ForyCaches {

    private static final Map<?, ?> GETTERS = getters();

    private ForyCaches() {}

    private static Map<?, ?> getters() {
        try {
            Field cache = Functions.class.getDeclaredField("weakCache");
            cache.setAccessible(true);
            Object getters = cache.get(null);
            Field map = getters.getClass().getDeclaredField("map");
            map.setAccessible(true);
            return (Map<?, ?>) map.get(getters);
        } catch (ReflectiveOperationException | RuntimeException otherFory) {
            return null;
        }
    }

    /** Serializers of an application's classes were made. */
    static void empty() {
        if (GETTERS != null) {
            GETTERS.clear();
        }
    }
}
