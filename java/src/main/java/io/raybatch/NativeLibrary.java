package io.raybatch;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
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

    /** The last attempt that failed, and how; null while none has. */
    private static List<String> failedAttempt;
    private static NativeLibraryException failure;

    private NativeLibrary() {}

    /** What an attempt depends on: the values of system properties. */
    private static List<String> attempt(UnaryOperator<String> properties) {
        return Stream.of(LIBRARY, FOLDER, "java.io.tmpdir", "java.library.path")
                .map(name -> String.valueOf(properties.apply(name)))
                .toList();
    }

    /**
     * Loads it, once for each class loader.
     *
     * @throws NativeLibraryException when it cannot be; the next call tries again if a system property that says where to load it
     *     from has another value by then, and unpacks nothing otherwise
     */
    static synchronized void ensureLoaded() {
        if (!loaded) {
            List<String> attempt = attempt(System::getProperty);
            if (attempt.equals(failedAttempt)) {
                throw failed(failure.getMessage(), List.of(failure));
            }
            try {
                load(System::getProperty);
                loaded = true;
                checkVersion(Native.version());
                Native.logLevel(RayLog.nativeLevel());
            } catch (NativeLibraryException e) {
                loaded = false;
                failedAttempt = attempt;
                failure = e;
                throw e;
            }
        }
    }

    static void load(UnaryOperator<String> properties) {
        List<Throwable> failures = new ArrayList<>();
        String named = properties.apply(LIBRARY);
        if (named != null && !named.isBlank()) {
            if (!loadNamed(named, properties, failures)) {
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
    private static boolean loadNamed(String named, UnaryOperator<String> properties, List<Throwable> failures) {
        try {
            Path library = Path.of(named).toAbsolutePath();
            try {
                link(() -> System.load(library.toString()));
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
            }
        } catch (IOException | InvalidPathException | UnsatisfiedLinkError e) {
            failures.add(e);
            return false;
        }
    }

    private static boolean loadFromPath(List<Throwable> failures) {
        try {
            link(() -> System.loadLibrary("raybatch"));
            return true;
        } catch (UnsatisfiedLinkError e) {
            failures.add(e);
            return false;
        }
    }

    /** Since JDK 24 the JVM may be told to let only some modules load libraries. */
    private static void link(Runnable load) {
        try {
            load.run();
        } catch (IllegalCallerException denied) {
            Module module = NativeLibrary.class.getModule();
            throw failed(
                    "this JVM lets raybatch load no native library (--illegal-native-access=deny): start it with"
                            + " --enable-native-access=" + (module.isNamed() ? module.getName() : "ALL-UNNAMED"),
                    List.of(denied));
        }
    }

    private static boolean loadBundled(TargetName target, UnaryOperator<String> properties, List<Throwable> failures) {
        try (InputStream in = resource(target)) {
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

    /** Beside this class, whatever its package is called; else where it lies in raybatch's own jar. */
    private static InputStream resource(TargetName target) {
        InputStream beside = NativeLibrary.class.getResourceAsStream("native/" + target + "/" + target.file());
        return beside != null ? beside : NativeLibrary.class.getClassLoader().getResourceAsStream(target.resource());
    }

    /** Unpacks into a folder that only this user can enter, loads, and deletes: what is loaded needs no name any more. */
    private static void loadCopy(InputStream in, String file, UnaryOperator<String> properties) throws IOException {
        String own = properties.apply(FOLDER);
        String parent = own == null || own.isBlank() ? properties.apply("java.io.tmpdir") : own;
        UnpackFolder folder;
        try {
            folder = UnpackFolder.in(Path.of(parent));
        } catch (IOException | InvalidPathException e) {
            throw new IOException("no folder can be made in " + parent + " to unpack the library: " + e + remedy(), e);
        }
        try (folder) {
            Path copy = folder.file(file);
            try {
                Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            } catch (IOException e) {
                throw new IOException("the library cannot be unpacked in " + parent + ": " + e + remedy(), e);
            }
            try {
                link(() -> System.load(copy.toAbsolutePath().toString()));
            } catch (UnsatisfiedLinkError e) {
                UnsatisfiedLinkError said = new UnsatisfiedLinkError(e.getMessage()
                        + (e.getMessage() != null && e.getMessage().contains("failed to map segment")
                                ? "; " + parent + " is mounted noexec" + remedy() : ""));
                said.initCause(e);
                throw said;
            }
        }
    }

    private static String remedy() {
        return "; name another folder with -D" + FOLDER;
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
