package io.raybatch;

/** A value could not be written or read by the {@link Serializer}; the cause says why. */
public final class SerializationException extends RayException {

    private static final long serialVersionUID = 1;

    SerializationException(String message, ErrorDetails details) {
        super(ErrorCode.SERIALIZATION, message, details);
    }
}
