package io.raybatch;

/**
 * What went wrong, as a number that stays the same from release to release. Codes below 100 are the native side's,
 * those from 100 on arise in Java.
 */
public enum ErrorCode {
    /** {@link RayInternalException}. */
    INTERNAL(1),
    /** {@link InvalidArgumentException}. */
    INVALID_ARGUMENT(2),
    /** {@link RayClosedException}. */
    CLOSED(3),
    /** {@link StoreOpenException}. */
    STORE_OPEN(4),
    /** {@link StoreConnectException}. */
    STORE_CONNECT(5),
    /** {@link StoreFullException}. */
    STORE_FULL(6),
    /** {@link StoreIoException}. */
    IO(7),
    /** {@link SpillCorruptException}. */
    SPILL_CORRUPT(8),
    /** {@link BatchNotFoundException}. */
    BATCH_NOT_FOUND(10),
    /** {@link BatchExistsException}. */
    BATCH_EXISTS(11),
    /** {@link BatchActiveException}. */
    BATCH_ACTIVE(12),
    /** {@link BatchEndedException}. */
    BATCH_ENDED(13),
    /** {@link BatchLimitException}. */
    BATCH_LIMIT(14),
    /** {@link GroupNotFoundException}. */
    GROUP_NOT_FOUND(15),
    /** {@link GroupActiveException}. */
    GROUP_ACTIVE(16),
    /** {@link ObjectNotFoundException}. */
    OBJECT_NOT_FOUND(20),
    /** {@link ObjectExistsException}. */
    OBJECT_EXISTS(21),
    /** {@link ObjectCollectedException}. */
    OBJECT_COLLECTED(22),
    /** {@link ObjectLostException}. */
    OBJECT_LOST(23),
    /** {@link ObjectSealedException}. */
    OBJECT_SEALED(24),
    /** {@link ObjectNotSealedException}. */
    OBJECT_NOT_SEALED(25),
    /** {@link ObjectInUseException}. */
    OBJECT_IN_USE(26),
    /** {@link NotOwnerException}. */
    NOT_OWNER(27),
    /** {@link ObjectBoundsException}. */
    OUT_OF_BOUNDS(28),
    /** {@link ActorDiedException}. */
    ACTOR_DIED(30),
    /** {@link TaskCancelledException}. */
    TASK_CANCELLED(31),
    /** {@link RollbackException}. */
    ROLLBACK(32),
    /** {@link DeadlockException}. */
    DEADLOCK(33),
    /** {@link GetTimeoutException}. */
    GET_TIMEOUT(100),
    /** {@link RayInterruptedException}. */
    INTERRUPTED(101),
    /** {@link SerializationException}. */
    SERIALIZATION(102),
    /** {@link NativeLibraryException}. */
    NATIVE_LIBRARY(103),
    /** {@link TaskException}. */
    TASK_FAILED(104),
    /** {@link TooManyTasksException}. */
    TOO_MANY_TASKS(105),
    /** {@link BatchTimedOutException}. */
    BATCH_TIMED_OUT(106),
    /** {@link ThreadLimitException}. */
    THREAD_LIMIT(107);

    private static final ErrorCode[] ALL = values();

    private final int number;

    ErrorCode(int number) {
        this.number = number;
    }

    /** {@return the stable number} */
    public int number() {
        return number;
    }

    /** The code of that number; {@link #INTERNAL} for one that this version does not know. */
    static ErrorCode of(int number) {
        for (ErrorCode code : ALL) {
            if (code.number == number) {
                return code;
            }
        }
        return INTERNAL;
    }
}
