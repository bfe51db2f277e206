package io.raybatch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;

/**
 * Loads the native library: the one that {@code -Draybatch.library} names and no other, else {@code raybatch} of
 * {@code java.library.path}, else the one in the jar.
 */
final class NativeLibrary {

    /** The version of this jar, which the library's must equal. */
    static final String VERSION = "0.1.0";

    private static final String LIBRARY = "raybatch.library";
    private static final String FOLDER = "raybatch.tmpdir";

    private static boolean loaded;

    private NativeLibrary() {}

    /**
     * Loads it, once for each class loader.
     *
     * @throws NativeLibraryException when it cannot be; the next call tries again
     */
    static synchronized void ensureLoaded() {
        if (!loaded) {
            load(System::getProperty);
            checkVersion(Native.version());
            Native.logLevel(RayLog.nativeLevel());
            loaded = true;
        }
    }

    static void load(UnaryOperator<String> properties) {
        List<Throwable> failures = new ArrayList<>();
        String named = properties.apply(LIBRARY);
        if (named != null && !named.isBlank()) {
            if (!loadNamed(Path.of(named).toAbsolutePath(), properties, failures)) {
                throw failed("the library that -D" + LIBRARY + " names could not be loaded: " + named, failures);
            }
            return;
        }
        TargetName target = TargetName.of(properties.apply("os.name"), properties.apply("os.arch"), isMusl());
        if (!loadFromPath(failures) && !loadBundled(target, properties, failures)) {
            throw failed("raybatch's native library could not be loaded on " + target
                    + "; name one with -D" + LIBRARY + "=/path/to/" + target.file(), failures);
        }
    }

    /** The JVM lets only one class loader have a file; a further one gets a copy of its own. */
    private static boolean loadNamed(Path library, UnaryOperator<String> properties, List<Throwable> failures) {
        try {
            System.load(library.toString());
            return true;
        } catch (UnsatisfiedLinkError e) {
            failures.add(e);
            if (e.getMessage() == null || !e.getMessage().contains("class loader") && !e.getMessage().contains("classloader")) {
                return false;
            }
        }
        try (InputStream in = Files.newInputStream(library)) {
            loadCopy(in, library.getFileName().toString(), properties);
            return true;
        } catch (IOException | UnsatisfiedLinkError e) {
            failures.add(e);
            return false;
        }
    }

    private static boolean loadFromPath(List<Throwable> failures) {
        try {
            System.loadLibrary("raybatch");
            return true;
        } catch (UnsatisfiedLinkError e) {
            failures.add(e);
            return false;
        }
    }

    private static boolean loadBundled(TargetName target, UnaryOperator<String> properties, List<Throwable> failures) {
        try (InputStream in = NativeLibrary.class.getClassLoader().getResourceAsStream(target.resource())) {
            if (in == null) {
                failures.add(new UnsatisfiedLinkError("this jar has no library for " + target + " (" + target.resource() + ")"
                        + (target.libc().isEmpty() ? "" : ": only for glibc")));
                return false;
            }
            loadCopy(in, target.file(), properties);
            return true;
        } catch (IOException | UnsatisfiedLinkError e) {
            failures.add(e);
            return false;
        }
    }

    /** Unpacks into a folder that only this user can enter, loads, and deletes: what is loaded needs no name any more. */
    private static void loadCopy(InputStream in, String file, UnaryOperator<String> properties) throws IOException {
        String parent = properties.apply(FOLDER);
        if (parent == null || parent.isBlank()) {
            parent = properties.apply("java.io.tmpdir");
        }
        Path folder = Files.createTempDirectory(Files.createDirectories(Path.of(parent)), "raybatch-");
        Path copy = folder.resolve(file);
        try {
            Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            System.load(copy.toAbsolutePath().toString());
        } catch (UnsatisfiedLinkError e) {
            UnsatisfiedLinkError said = new UnsatisfiedLinkError(e.getMessage() + " (if " + parent
                    + " is mounted noexec, name another folder with -D" + FOLDER + ")");
            said.initCause(e);
            throw said;
        } finally {
            delete(copy);
            delete(folder);
        }
    }

    private static void delete(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException inUse) {
            path.toFile().deleteOnExit();
        }
    }

    static void checkVersion(String library) {
        if (!VERSION.equals(library)) {
            throw failed(
                    "the native library has version " + library + " and this jar " + VERSION
                            + ": use those of one release, and look for an old library in java.library.path and -D" + LIBRARY,
                    List.of());
        }
    }

    /** By what is mapped into this process: the loader of musl is a shared library of its own. */
    private static boolean isMusl() {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.anyMatch(line -> line.contains("/ld-musl-"));
        } catch (IOException | RuntimeException notLinux) {
            return false;
        }
    }

    private static NativeLibraryException failed(String what, List<Throwable> failures) {
        StringBuilder message = new StringBuilder(what);
        for (Throwable failure : failures) {
            message.append("; tried: ").append(failure.getMessage());
        }
        NativeLibraryException e = new NativeLibraryException(message.toString(), ErrorDetails.NONE);
        failures.forEach(e::addSuppressed);
        return e;
    }
}
