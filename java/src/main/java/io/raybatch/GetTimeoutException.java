package io.raybatch;

/** The time given for a {@code get} ran out; the message says how many objects were still missing. */
public final class GetTimeoutException extends RayException {

    private static final long serialVersionUID = 1;

    GetTimeoutException(String message, ErrorDetails details) {
        super(ErrorCode.GET_TIMEOUT, message, details);
    }
}
