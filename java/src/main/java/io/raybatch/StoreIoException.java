package io.raybatch;

/** The system refused an operation on the store's memory or file. */
public final class StoreIoException extends RayException {

    private static final long serialVersionUID = 1;

    StoreIoException(String message, ErrorDetails details) {
        super(ErrorCode.IO, message, details);
    }
}
