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
 * Arguments on their way into a task. What nobody can change is handed over as it is; a reference is waited for by the table; all
 * else is put into the task's batch, so that a run again finds it as it was.
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

    private Arguments(Object[] stored, byte[] ids, Object held) {
        this.stored = stored;
        this.ids = ids;
        this.held = held;
    }

    /** Puts those by value that others could change. */
    interface Putter {
        ObjectRef<?> put(Object value);
    }

    static Arguments of(Object[] given, BatchScope scope, Putter putter) {
        Object[] stored = given;
        List<ObjectRef<?>> refs = null;
        List<BatchScope> others = null;
        for (int n = 0; n < given.length; n++) {
            if (given[n] instanceof ActorHandle<?> actor) {
                stored = stored == given ? given.clone() : stored;
                BatchScope owner = actor.owner();
                stored[n] = new StoredCall.Actor(actor.ray(), new WeakReference<>(owner), actor.number(), actor.name());
                others = withOther(others, owner, scope);
                continue;
            }
            ObjectRef<?> ref = refOf(given[n], putter);
            if (ref != null) {
                stored = stored == given ? given.clone() : stored;
                stored[n] = new StoredCall.Argument(ref.batchId(), ref.task(), ref.index());
                refs = refs == null ? new ArrayList<>(given.length) : refs;
                refs.add(ref);
                others = withOther(others, ref.owner(), scope);
            }
        }
        return refs == null
                ? new Arguments(stored, null, others)
                : new Arguments(stored, ObjectIds.of(refs), others);
    }

    /** Null for a value that is handed over as it is. */
    private static ObjectRef<?> refOf(Object argument, Putter putter) {
        if (argument == null || IMMUTABLE.contains(argument.getClass()) || argument instanceof Enum) {
            return null;
        }
        if (argument instanceof ObjectRef<?> ref) {
            return ref;
        }
        if (argument instanceof ZoneId) {
            return null;
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
        return putter.put(argument);
    }

    /** The batches of others that own arguments, for them to stay reachable; null if there are none. */
    private static List<BatchScope> withOther(List<BatchScope> others, BatchScope owner, BatchScope scope) {
        if (owner == null || !owner.isTracked() || owner == scope) {
            return others;
        }
        List<BatchScope> all = others == null ? new ArrayList<>(1) : others;
        all.add(owner);
        return all;
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
}
