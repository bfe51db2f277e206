package io.raybatch;

/**
 * The native library could not be loaded; each attempt that failed is a {@linkplain #getSuppressed() suppressed}
 * exception.
 */
public final class NativeLibraryException extends RayException {

    private static final long serialVersionUID = 1;

    NativeLibraryException(String message, ErrorDetails details) {
        super(ErrorCode.NATIVE_LIBRARY, message, details);
    }
}
