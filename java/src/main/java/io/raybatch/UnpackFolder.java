package io.raybatch;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.List;

/**
 * Where a native library is unpacked: {@code raybatch-native-<pid>-<random>}, which only its user can enter, with a lock that the system
 * releases when the process ends. It is removed as soon as the library is loaded; what a process that was killed meanwhile has
 * left is removed by the next one that unpacks there. What is locked, of another user, or not named so is left alone.
 */
final class UnpackFolder implements AutoCloseable {

    private static final String PREFIX = "raybatch-native-";
    /** What it is called until it is locked, so that no folder of a process that goes on is seen without a lock. */
    private static final String NEW_PREFIX = ".raybatch-native-new-";
    private static final String LOCK = "lock";
    /** What a library may be called that was unpacked. */
    private static final List<String> FILES = List.of("libraybatch.so", "libraybatch.dylib", "raybatch.dll");

    private final Path folder;
    private final FileChannel lock;
    private Path file;

    private UnpackFolder(Path folder, FileChannel lock) {
        this.folder = folder;
        this.lock = lock;
    }

    /** Makes one in a folder, which is made as well if it is not there, after removing what was left there. */
    static UnpackFolder in(Path parent) throws IOException {
        // not by createTempDirectory: where java.io.tmpdir cannot be a path, its class fails for good
        Path made = Files.createDirectories(parent).resolve(NEW_PREFIX + Long.toHexString(new SecureRandom().nextLong()));
        if (parent.getFileSystem().supportedFileAttributeViews().contains("posix")) {
            Files.createDirectory(made, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } else {
            Files.createDirectory(made);
        }
        FileChannel lock = null;
        Path folder = null;
        try {
            removeLeftovers(parent, made);
            lock = FileChannel.open(made.resolve(LOCK), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            lock.lock();
            String random = made.getFileName().toString().substring(NEW_PREFIX.length());
            folder = Files.move(made, parent.resolve(prefix() + random));
            return new UnpackFolder(folder, lock);
        } finally {
            if (folder == null) {
                if (lock != null) {
                    lock.close();
                }
                remove(made.resolve(LOCK));
                remove(made);
            }
        }
    }

    private static String prefix() {
        return PREFIX + ProcessHandle.current().pid() + "-";
    }

    /** The path for the library. */
    Path file(String name) {
        file = folder.resolve(name);
        return file;
    }

    /** Removes it all. */
    @Override
    public void close() throws IOException {
        if (file != null) {
            remove(file);
        }
        remove(folder.resolve(LOCK));
        lock.close();
        remove(folder);
    }

    /** What cannot be removed, as a loaded file on Windows, is the next process's to remove. */
    private static void remove(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException inUse) {
            path.toFile().deleteOnExit();
        }
    }

    // ---- what others have left -------------------------------------------------------------------------------------

    /** @param own a folder of this user */
    private static void removeLeftovers(Path parent, Path own) {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(parent, PREFIX + "*")) {
            for (Path folder : folders) {
                // a folder of this process may be locked by another class loader, whose lock would go with the look at it
                if (!folder.getFileName().toString().startsWith(prefix())
                        && Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)
                        && Files.getOwner(folder).equals(Files.getOwner(own))) {
                    removeIfLeft(folder);
                }
            }
        } catch (IOException | RuntimeException e) {
            // they stay for the next one
            RayLog.warn("what other processes have left in " + parent + " could not be removed", e);
        }
    }

    private static void removeIfLeft(Path folder) throws IOException {
        Path file = folder.resolve(LOCK);
        if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
            // one that is being removed just now
            return;
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE); FileLock lock = channel.tryLock()) {
            if (lock == null) {
                return;
            }
            for (String name : FILES) {
                Files.deleteIfExists(folder.resolve(name));
            }
            Files.deleteIfExists(file);
            Files.deleteIfExists(folder);
        } catch (OverlappingFileLockException ofThisProcess) {
            // it is in use
        } catch (IOException notEmpty) {
            // somebody has put something of his own there, or it is gone meanwhile
        }
    }
}
