package io.raybatch;

/** The actor is gone, and cannot be built again: it was killed for good, its batch is over, or it has no restarts left. */
public final class ActorDiedException extends RayException {

    private static final long serialVersionUID = 1;

    ActorDiedException(String message, ErrorDetails details) {
        super(ErrorCode.ACTOR_DIED, message, details);
    }
}
