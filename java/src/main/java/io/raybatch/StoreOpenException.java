package io.raybatch;

/** The store cannot be opened: its size, path or options do not fit this machine. */
public final class StoreOpenException extends RayException {

    private static final long serialVersionUID = 1;

    StoreOpenException(String message, ErrorDetails details) {
        super(ErrorCode.STORE_OPEN, message, details);
    }
}
