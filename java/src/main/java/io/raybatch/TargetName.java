package io.raybatch;

import java.util.Locale;

/**
 * Which native library fits a machine: a function of what the machine says of itself, and of nothing else.
 *
 * @param os {@code linux}, {@code macos}, {@code windows}, or another in lower case
 * @param arch {@code x86_64}, {@code aarch64}, or another in lower case
 * @param libc {@code musl}, or empty where there is no choice
 */
record TargetName(String os, String arch, String libc) {

    /** Put together here: a tool that relocates classes may rename what looks like a path, and leave the file where it is. */
    private static final String FOLDER = String.join("/", "io", "raybatch", "native", "");

    /**
     * Reads the system properties {@code os.name} and {@code os.arch}.
     *
     * @param musl whether the process runs on musl instead of glibc
     */
    static TargetName of(String osName, String osArch, boolean musl) {
        String os = osName.toLowerCase(Locale.ROOT);
        if (os.startsWith("mac")) {
            os = "macos";
        } else if (os.startsWith("windows")) {
            os = "windows";
        }
        String arch = osArch.toLowerCase(Locale.ROOT);
        if (arch.equals("amd64") || arch.equals("x86-64") || arch.equals("x64")) {
            arch = "x86_64";
        } else if (arch.equals("arm64")) {
            arch = "aarch64";
        }
        return new TargetName(os.replace(' ', '-'), arch, musl && os.equals("linux") ? "musl" : "");
    }

    /** The library's file name. */
    String file() {
        return switch (os) {
            case "windows" -> "raybatch.dll";
            case "macos" -> "libraybatch.dylib";
            default -> "libraybatch.so";
        };
    }

    /** Where in the jar it lies. */
    String resource() {
        return FOLDER + this + "/" + file();
    }

    /** As in {@code linux-x86_64} and {@code linux-x86_64-musl}. */
    @Override
    public String toString() {
        return os + "-" + arch + (libc.isEmpty() ? "" : "-" + libc);
    }
}
