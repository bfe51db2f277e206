package io.raybatch;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Why there is no value, as an object: what is sealed in place of a task's result, and thrown by whoever gets it. The first byte
 * of its payload says what the others are.
 */
final class Failures {

    /** A {@link Thrown}. */
    static final byte EXCEPTION = 1;
    /** Who cancelled it, or why, in words. */
    static final byte CANCELLED = 2;
    /** Which actor, and why. */
    static final byte ACTOR_DIED = 3;
    /** The id of the argument that failed first, and its payload. */
    static final byte ARGUMENT = 4;
    /** The id of the argument, and why it cannot be made again. */
    static final byte LOST_ARGUMENT = 5;
    /** What went wrong. */
    static final byte INTERNAL = 6;
    /** Why the task's batch ended, as a number, and in words. */
    static final byte BATCH_ENDED = 7;
    /** Why the actor's batch ended, as a number, and in words. */
    static final byte ACTOR_ENDED = 8;

    private Failures() {}

    /** An object of that kind, as it was read. */
    record Failure(byte[] payload) {

        /** What a getter of the object throws. */
        RayException exception(ObjectId id, Serializer serializer) {
            return Failures.read(id, "", payload, serializer);
        }
    }

    /** The payload for a task that had this object for an argument, and does not run therefore. */
    static byte[] ofArgument(ObjectId id, byte[] payload) {
        if (payload.length > 0 && payload[0] == ARGUMENT) {
            return payload;
        }
        byte[] whole = new byte[1 + ObjectId.BYTES + payload.length];
        whole[0] = ARGUMENT;
        id.copyTo(whole, 1);
        System.arraycopy(payload, 0, whole, 1 + ObjectId.BYTES, payload.length);
        return whole;
    }

    /**
     * Reads a payload.
     *
     * @param where what to add to the message: how the failure came here
     */
    private static RayException read(ObjectId id, String where, byte[] payload, Serializer serializer) {
        ErrorDetails details = ErrorDetails.of(id);
        if (payload.length == 0) {
            return failed("the task of object " + id + " failed, and there was no memory to say why" + where, details);
        }
        return switch (payload[0]) {
            case EXCEPTION -> thrown(id, where, payload, serializer);
            case CANCELLED -> cancelled("the task of object " + id, text(payload, 1), where, details);
            case ACTOR_DIED -> new ActorDiedException(text(payload, 1) + where, details);
            case ARGUMENT -> {
                ObjectId first = ObjectId.at(payload, 1);
                byte[] inner = new byte[payload.length - 1 - ObjectId.BYTES];
                System.arraycopy(payload, 1 + ObjectId.BYTES, inner, 0, inner.length);
                yield read(first, "; the task of object " + id + " needed its result", inner, serializer);
            }
            case LOST_ARGUMENT -> {
                ObjectId lost = ObjectId.at(payload, 1);
                String why = text(payload, 1 + ObjectId.BYTES);
                yield new ObjectLostException(
                        "object " + lost + ", which the task of object " + id + " needs, is lost and cannot be made again"
                                + (why.isEmpty() ? "" : ": " + why) + where,
                        ErrorDetails.of(lost));
            }
            case BATCH_ENDED -> batchEnded("the task of object " + id, EndReason.of(payload[1]), text(payload, 2), where, id);
            case ACTOR_ENDED -> {
                EndReason reason = EndReason.of(payload[1]);
                ErrorDetails ended = ErrorDetails.ofEnd(id, reason);
                String why = text(payload, 2) + where;
                yield reason == EndReason.TIMED_OUT ? new BatchTimedOutException(why, ended) : new ActorDiedException(why, ended);
            }
            case INTERNAL -> failed("the task of object " + id + " failed: " + text(payload, 1) + where, details);
            default -> failed("the task of object " + id + " failed in a way unknown here: " + payload[0] + where, details);
        };
    }

    /** For the task that {@code what} names. */
    static TaskCancelledException cancelled(String what, String reason, String where, ErrorDetails details) {
        String cancelled = reason.startsWith("cancelled") ? reason : reason.isEmpty() ? "cancelled" : "cancelled: " + reason;
        return new TaskCancelledException(what + " was " + cancelled + where, reason, details);
    }

    /** For the task that {@code what} names, whose batch was cancelled or timed out. */
    static RayException batchEnded(String what, EndReason reason, String why, String where, ObjectId id) {
        ErrorDetails details = ErrorDetails.ofEnd(id, reason);
        return reason == EndReason.TIMED_OUT
                ? new BatchTimedOutException(what + " was cancelled: " + why + where, details)
                : new TaskCancelledException(what + " was cancelled: " + why + where, why, details);
    }

    private static TaskException failed(String message, ErrorDetails details) {
        return new TaskException(message, "", "", "", details);
    }

    private static RayException thrown(ObjectId id, String where, byte[] payload, Serializer serializer) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(payload, 1, payload.length - 1))) {
            Thrown what = Thrown.read(in, serializer);
            ErrorDetails details = new ErrorDetails(id.batch(), id.toBytes(), null, what.cause());
            return new TaskException(
                    "task " + what.task() + " failed on thread " + what.thread() + ": " + what.text() + where,
                    what.task(), what.thread(), what.trace(), details);
        } catch (IOException | RuntimeException unreadable) {
            return failed("the task of object " + id + " failed, and why cannot be read: " + unreadable + where,
                    new ErrorDetails(id.batch(), id.toBytes(), null, unreadable));
        }
    }

    private static String text(byte[] payload, int from) {
        ByteBuffer rest = ByteBuffer.wrap(payload, from, payload.length - from);
        return StandardCharsets.UTF_8.decode(rest).toString();
    }
}
