package io.raybatch;

/** There is no open store of that name to connect to. */
public final class StoreConnectException extends RayException {

    private static final long serialVersionUID = 1;

    StoreConnectException(String message, ErrorDetails details) {
        super(ErrorCode.STORE_CONNECT, message, details);
    }
}
