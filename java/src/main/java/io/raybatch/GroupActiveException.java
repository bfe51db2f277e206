package io.raybatch;

/** The {@link ResourceGroup} cannot be removed: a batch in it is not collected, or a group is within it. */
public final class GroupActiveException extends RayException {

    private static final long serialVersionUID = 1;

    GroupActiveException(String message, ErrorDetails details) {
        super(ErrorCode.GROUP_ACTIVE, message, details);
    }
}
