package io.raybatch;

/**
 * An object's bytes cannot be read back from its spill file, which is damaged, truncated or missing. It is lost; all others
 * are as they were. The message names the file.
 */
public final class SpillCorruptException extends RayException {

    private static final long serialVersionUID = 1;

    SpillCorruptException(String message, ErrorDetails details) {
        super(ErrorCode.SPILL_CORRUPT, message, details);
    }
}
