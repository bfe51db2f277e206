package io.raybatch;

import java.io.Serializable;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Calendar;
import java.util.Collection;
import java.util.EnumSet;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TimeZone;
import java.util.Vector;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.apache.fory.Fory;
import org.apache.fory.resolver.TypeResolver;
import org.apache.fory.serializer.Serializer;
import org.apache.fory.serializer.SerializerFactory;

/**
 * Which serializer of Fory's, or of ours, writes a class: asked once for each class that an instance meets. Classes of the
 * platform have Fory's serializers where those were found to be right (the corpus of the tests says so), and are written by Java's
 * own serialization where they were not; those that Java refuses are refused.
 */
final class ForyRules implements SerializerFactory {

    /** Those that Fory finds by what they are, and not by their class. */
    private static final List<Class<?>> OF_FORY = List.of(
            Charset.class, ZoneId.class, ByteBuffer.class, EnumSet.class);

    private final ValueLoader loader;
    private final Meeting meeting;

    /** Is notified of each class. */
    interface Meeting {
        void met(Class<?> type);
    }

    private ForyRules(ValueLoader loader, Meeting meeting) {
        this.loader = loader;
        this.meeting = meeting;
    }

    static void register(Fory fory, ValueLoader loader, Meeting meeting) {
        fory.registerSerializerFactory(new ForyRules(loader, meeting));
        ForyForms.register(fory, loader);
    }

    @Override
    public Serializer<?> createSerializer(TypeResolver types, Class<?> type) {
        loader.check(type);
        meeting.met(type);
        if (type.isArray() || type.isEnum() || type.isPrimitive() || Proxy.isProxyClass(type) || type.isHidden()) {
            return null;
        }
        return isOfPlatform(type) ? ofPlatform(types, type) : ofApplication(types, type);
    }

    private static boolean isOfPlatform(Class<?> type) {
        ClassLoader of = type.getClassLoader();
        return of == null || of == ClassLoader.getPlatformClassLoader();
    }

    private Serializer<?> ofPlatform(TypeResolver types, Class<?> type) {
        if (Path.class.isAssignableFrom(type)) {
            return new ForyForms.OfPath(types, type);
        }
        if (OF_FORY.stream().anyMatch(known -> known.isAssignableFrom(type))) {
            return null;
        }
        if (Serializable.class.isAssignableFrom(type)) {
            return ForyForms.byJava(types, type, loader);
        }
        if (Collection.class.isAssignableFrom(type) || Map.class.isAssignableFrom(type) || Map.Entry.class.isAssignableFrom(type)) {
            return ForyForms.copy(types, type);
        }
        throw new UnsupportedOperationException("a " + type.getTypeName() + " has no form outside of the JVM: put what it is"
                + " made from, or what it yields");
    }

    private Serializer<?> ofApplication(TypeResolver types, Class<?> type) {
        return null;
    }
}
