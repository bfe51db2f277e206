package io.raybatch;

/** There is no such {@link ResourceGroup}: it was removed. */
public final class GroupNotFoundException extends RayException {

    private static final long serialVersionUID = 1;

    GroupNotFoundException(String message, ErrorDetails details) {
        super(ErrorCode.GROUP_NOT_FOUND, message, details);
    }
}
