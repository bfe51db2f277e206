package io.raybatch;

import java.lang.ref.WeakReference;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * Arguments on their way into a task. What nobody can change is handed over as it is; a reference is waited for by the table, and so
 * is each of a list of them; all else is put into the task's batch, so that a run again finds it as it was.
 */
final class Arguments {

    private static final Set<Class<?>> IMMUTABLE = Set.of(
            String.class, Integer.class, Long.class, Double.class, Float.class, Boolean.class, Character.class,
            Short.class, Byte.class, BigInteger.class, BigDecimal.class, UUID.class, ObjectId.class,
            Duration.class, Instant.class, LocalDate.class, LocalDateTime.class, LocalTime.class, MonthDay.class,
            OffsetDateTime.class, OffsetTime.class, Period.class, Year.class, YearMonth.class, ZonedDateTime.class);

    private final Object[] stored;
    private final byte[] ids;
    private final Object held;
    private final List<ObjectRef<?>> put;

    private Arguments(Object[] stored, byte[] ids, Object held, List<ObjectRef<?>> put) {
        this.stored = stored;
        this.ids = ids;
        this.held = held;
        this.put = put;
    }

    /** Puts those by value that others could change. */
    interface Putter {
        ObjectRef<?> put(Object value);

        /** Frees what was put for a task that was not submitted. */
        default void free(List<ObjectRef<?>> put) {}
    }

    /**
     * Prepares arguments. When one of them is refused, those put before it are freed.
     *
     * @param given not written to
     */
    static Arguments of(Object[] given, BatchScope scope, Putter putter) {
        Builder all = new Builder(given, scope, putter);
        boolean done = false;
        try {
            Arguments arguments = all.build();
            done = true;
            return arguments;
        } finally {
            if (!done) {
                putter.free(all.put);
            }
        }
    }

    /** Collects what becomes of each argument, in order. */
    private static final class Builder {
        private final Object[] stored;
        private final BatchScope scope;
        private final Putter putter;
        private final List<ObjectRef<?>> refs = new ArrayList<>();
        private final List<ObjectRef<?>> put = new ArrayList<>(0);
        private List<BatchScope> others;

        Builder(Object[] given, BatchScope scope, Putter putter) {
            this.stored = given.clone();
            this.scope = scope;
            this.putter = putter;
        }

        Arguments build() {
            for (int n = 0; n < stored.length; n++) {
                stored[n] = stored(stored[n]);
            }
            return new Arguments(stored, refs.isEmpty() ? null : ObjectIds.of(refs), others, put);
        }

        private Object stored(Object argument) {
            if (argument instanceof ActorHandle<?> actor) {
                BatchScope owner = actor.owner();
                holdOther(owner);
                return new StoredCall.Actor(actor.ray(), new WeakReference<>(owner), actor.number(), actor.name());
            }
            if (argument instanceof RefList list) {
                Object[] elements = new Object[list.refs().size()];
                for (int n = 0; n < elements.length; n++) {
                    elements[n] = reference(list.refs().get(n));
                }
                return new StoredCall.ListOf(elements);
            }
            if (argument instanceof ObjectRef<?> ref) {
                return reference(ref);
            }
            if (isHandedOver(argument)) {
                return argument;
            }
            ObjectRef<?> ref = putter.put(argument);
            put.add(ref);
            return reference(ref);
        }

        private StoredCall.Argument reference(ObjectRef<?> ref) {
            refs.add(ref);
            holdOther(ref.owner());
            return new StoredCall.Argument(ref.batchId(), ref.task(), ref.index());
        }

        /** The batches of others that own arguments have to stay reachable. */
        private void holdOther(BatchScope owner) {
            if (owner == null || !owner.isTracked() || owner == scope) {
                return;
            }
            if (others == null) {
                others = new ArrayList<>(1);
            } else if (others.get(others.size() - 1) == owner) {
                // as with most lists: all of one batch
                return;
            }
            others.add(owner);
        }
    }

    /** False for a value that has to be put. */
    private static boolean isHandedOver(Object argument) {
        if (argument == null || IMMUTABLE.contains(argument.getClass()) || argument instanceof Enum || argument instanceof ZoneId) {
            return true;
        }
        if (argument instanceof Batch batch) {
            throw new InvalidArgumentException(
                    batch + " cannot be an argument: a task's own batch is current in it; hand over another one's id",
                    new ErrorDetails(batch.id(), null, null, null));
        }
        if (argument instanceof AutoCloseable && argument.getClass().getPackage() == Arguments.class.getPackage()) {
            throw new InvalidArgumentException(
                    "a " + argument.getClass().getSimpleName() + " cannot be an argument: hand over a reference or an id",
                    ErrorDetails.NONE);
        }
        return false;
    }

    /** As {@link StoredCall#arguments}. */
    Object[] stored() {
        return stored;
    }

    /** 20 bytes for each reference; null if there are none. */
    byte[] ids() {
        return ids;
    }

    /** What is to stay reachable until the task has run; null if there is nothing. */
    Object held() {
        return held;
    }

    /** What was put for this call, in order. */
    List<ObjectRef<?>> put() {
        return put;
    }
}
