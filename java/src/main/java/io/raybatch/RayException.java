package io.raybatch;

import java.util.Optional;
import java.util.OptionalLong;

/**
 * Every failure that raybatch reports. Unchecked, one final class per {@link ErrorCode}, so that callers catch what
 * they can act on. The message names the batch, the object and the limit concerned, and what to do.
 */
public abstract sealed class RayException extends RuntimeException
        permits RayInternalException, InvalidArgumentException, RayClosedException, StoreOpenException,
                StoreConnectException, StoreFullException, StoreIoException, SpillCorruptException, BatchNotFoundException,
                BatchExistsException, BatchActiveException, BatchEndedException, BatchLimitException,
                GroupNotFoundException, GroupActiveException,
                ObjectNotFoundException, ObjectExistsException, ObjectCollectedException, ObjectLostException,
                ObjectSealedException, ObjectNotSealedException, ObjectInUseException, NotOwnerException,
                ObjectBoundsException, TaskException, TaskCancelledException, ActorDiedException, TooManyTasksException,
                RollbackException, DeadlockException, GetTimeoutException, RayInterruptedException, SerializationException,
                NativeLibraryException, ThreadLimitException {

    private static final long serialVersionUID = 1;

    /** The stable code. */
    private final ErrorCode code;

    /** The batch concerned; 0 for none. */
    private final long batch;

    /** The bytes of the object's id; null for none. */
    private final byte[] object;

    /** Why the batch ended whose end caused it; null where no batch's end did. */
    private final EndReason endReason;

    RayException(ErrorCode code, String message, ErrorDetails details) {
        super(message, details.cause());
        this.code = code;
        this.batch = details.batch();
        this.object = details.object();
        this.endReason = details.endReason();
    }

    /** {@return the stable code} */
    public final ErrorCode code() {
        return code;
    }

    /** {@return the batch concerned; empty when there is none, or it is normal mode} */
    public final OptionalLong batchId() {
        return batch == 0 ? OptionalLong.empty() : OptionalLong.of(batch);
    }

    /** {@return the object concerned, if there is one} */
    public final Optional<ObjectId> objectId() {
        return object == null ? Optional.empty() : Optional.of(ObjectId.of(object));
    }

    /**
     * {@return why the batch ended whose end caused this; empty where no batch's end did} What a batch's timeout causes is a
     * {@link BatchTimedOutException}, whichever call meets it.
     */
    public final Optional<EndReason> batchEndReason() {
        return Optional.ofNullable(endReason);
    }

    /** The exception for an error of the native side; arguments as {@link NativeCallbacks#error} has them. */
    static RayException of(int number, String message, long batch, byte[] objectId, long[] facts) {
        ErrorCode code = ErrorCode.of(number);
        EndReason endReason = endReason(code, facts);
        ErrorDetails details = new ErrorDetails(batch, objectId, facts, null, endReason);
        if (endReason == EndReason.TIMED_OUT) {
            return new BatchTimedOutException(message, details);
        }
        return switch (code) {
            case INTERNAL -> new RayInternalException(message, details);
            case INVALID_ARGUMENT -> new InvalidArgumentException(message, details);
            case CLOSED -> new RayClosedException(message, details);
            case STORE_OPEN -> new StoreOpenException(message, details);
            case STORE_CONNECT -> new StoreConnectException(message, details);
            case STORE_FULL -> new StoreFullException(message, details);
            case IO -> new StoreIoException(message, details);
            case SPILL_CORRUPT -> new SpillCorruptException(message, details);
            case BATCH_NOT_FOUND -> new BatchNotFoundException(message, details);
            case BATCH_EXISTS -> new BatchExistsException(message, details);
            case BATCH_ACTIVE -> new BatchActiveException(message, details);
            case BATCH_ENDED -> new BatchEndedException(message, details);
            case BATCH_TIMED_OUT -> new BatchTimedOutException(message, details);
            case BATCH_LIMIT -> new BatchLimitException(message, details);
            case GROUP_NOT_FOUND -> new GroupNotFoundException(message, details);
            case GROUP_ACTIVE -> new GroupActiveException(message, details);
            case OBJECT_NOT_FOUND -> new ObjectNotFoundException(message, details);
            case OBJECT_EXISTS -> new ObjectExistsException(message, details);
            case OBJECT_COLLECTED -> new ObjectCollectedException(message, details);
            case OBJECT_LOST -> new ObjectLostException(message, details);
            case OBJECT_SEALED -> new ObjectSealedException(message, details);
            case OBJECT_NOT_SEALED -> new ObjectNotSealedException(message, details);
            case OBJECT_IN_USE -> new ObjectInUseException(message, details);
            case NOT_OWNER -> new NotOwnerException(message, details);
            case OUT_OF_BOUNDS -> new ObjectBoundsException(message, details);
            case TASK_FAILED -> new TaskException(message, "", "", "", details);
            case TASK_CANCELLED -> new TaskCancelledException(message, "", details);
            case ACTOR_DIED -> new ActorDiedException(message, details);
            case TOO_MANY_TASKS -> new TooManyTasksException(message, details);
            case ROLLBACK -> new RollbackException(message, details);
            case DEADLOCK -> new DeadlockException(message, details);
            case GET_TIMEOUT -> new GetTimeoutException(message, details);
            case INTERRUPTED -> new RayInterruptedException(message, details);
            case SERIALIZATION -> new SerializationException(message, details);
            case NATIVE_LIBRARY -> new NativeLibraryException(message, details);
            case THREAD_LIMIT -> new ThreadLimitException(message, details);
        };
    }

    /** What the figures of an error say that a batch's end may have caused. */
    private static EndReason endReason(ErrorCode code, long[] facts) {
        return switch (code) {
            case BATCH_ENDED, OBJECT_COLLECTED, TASK_CANCELLED, ACTOR_DIED ->
                facts == null || facts.length == 0 ? null : EndReason.of(facts[0]);
            default -> null;
        };
    }
}
