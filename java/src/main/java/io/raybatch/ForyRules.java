package io.raybatch;

import java.io.Serializable;
import java.lang.reflect.Proxy;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.time.ZoneId;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.fory.Fory;
import org.apache.fory.codegen.CodeGenerator;
import org.apache.fory.resolver.ClassResolver;
import org.apache.fory.resolver.TypeResolver;
import org.apache.fory.serializer.Serializer;
import org.apache.fory.serializer.SerializerFactory;
import org.apache.fory.util.ClassLoaderUtils.ComposedClassLoader;
import org.apache.fory.util.ClassLoaderUtils.ForyJarClassLoader;

/**
 * Which serializer of Fory's, or of ours, writes a class: asked once for each class that an instance meets. Classes of the
 * platform have Fory's serializers where those were found to be right (the corpus of the tests says so), and are written by Java's
 * own serialization where they were not; those that Java refuses are refused.
 */
final class ForyRules implements SerializerFactory {

    /** Those that Fory finds by what they are, and not by their class. */
    private static final List<Class<?>> OF_FORY = List.of(
            Charset.class, ZoneId.class, ByteBuffer.class, EnumSet.class);

    private final ForyPool pool;
    private final Consumer<Class<?>> meeting;

    private ForyRules(ForyPool pool, Consumer<Class<?>> meeting) {
        this.pool = pool;
        this.meeting = meeting;
    }

    /** @param meeting is notified of each class */
    static void register(Fory fory, ForyPool pool, Consumer<Class<?>> meeting) {
        fory.registerSerializerFactory(new ForyRules(pool, meeting));
        ForyForms.register(fory, pool);
    }

    @Override
    public Serializer<?> createSerializer(TypeResolver types, Class<?> type) {
        pool.loader().check(type);
        if (pool.generates() && ValueLoader.isShadowed(type)) {
            throw new ForyPool.WrongCode();
        }
        generateApart(types, type.getClassLoader());
        meeting.accept(type);
        if (type.isArray() || type.isEnum() || type.isPrimitive() || Proxy.isProxyClass(type) || type.isHidden()) {
            return null;
        }
        return isOfPlatform(type) ? ofPlatform(types, type) : ofApplication(types, type);
    }

    /** Has code for an application's classes generated apart: what Fory shares by itself keeps their loader reachable. */
    private void generateApart(TypeResolver types, ClassLoader loader) {
        if (ValueLoader.isPermanent(loader)) {
            return;
        }
        pool.met();
        if (ValueLoader.seesFory(loader)) {
            types.getOrCreateCodeGenerator(new ClassLoader[] {loader}, loaders -> new CodeGenerator(loaders[0]));
        } else {
            types.getOrCreateCodeGenerator(new ClassLoader[] {loader, Fory.class.getClassLoader()}, loaders ->
                    new CodeGenerator(new ComposedClassLoader(new ClassLoader[] {ForyJarClassLoader.getInstance(), loader})));
        }
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
        if (Buffer.class.isAssignableFrom(type)) {
            return ForyForms.ofBuffer(types, type);
        }
        if (Serializable.class.isAssignableFrom(type)) {
            return ForyForms.byJava(types, type, pool);
        }
        if (Collection.class.isAssignableFrom(type) || Map.class.isAssignableFrom(type) || Map.Entry.class.isAssignableFrom(type)) {
            return ForyForms.copy(types, type);
        }
        throw new UnsupportedOperationException("a " + type.getTypeName() + " has no form outside of the JVM: put what it is"
                + " made from, or what it yields");
    }

    /** Those that say how Java writes them, themselves or through a collection of the platform that they extend, are written so. */
    private Serializer<?> ofApplication(TypeResolver types, Class<?> type) {
        return ClassResolver.requireJavaSerialization(type) ? ForyForms.byJava(types, type, pool) : null;
    }
}
