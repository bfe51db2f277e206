package io.raybatch;

import io.raybatch.flight.FlightEvents;
import java.util.function.Supplier;

/**
 * Waits for room in a store that is full and spills: here, where a wait can be interrupted and holds no lock, and never in
 * the native side.
 */
final class Room {

    /** Rounds of spilling in vain after which there is no room to be had: the first may have begun before it was asked for. */
    private static final int VAIN_ROUNDS = 2;

    private static final long DOES_NOT_SPILL = -1;

    private final RayApi ray;

    Room(RayApi ray) {
        this.ray = ray;
    }

    /** True in a store that spills and has less than a tenth left: what is put may have to wait. */
    boolean isShort() {
        if (ray.config().spillDirectory().isEmpty()) {
            return false;
        }
        long[] figures = Native.used(ray.client());
        return figures[1] - figures[0] < figures[1] / 10;
    }

    /**
     * Repeats what found no room, whenever some was made, for as long as the configuration says.
     *
     * @param full what it was told
     * @param attempt does nothing when it throws
     * @throws StoreFullException when no room was made in time, or none can be made
     */
    <T> T waiting(StoreFullException full, Supplier<T> attempt) {
        if (!Flight.isOn()) {
            return wait(full, attempt);
        }
        FlightEvents.Waiting waiting = FlightEvents.waiting();
        boolean made = false;
        try {
            T result = wait(full, attempt);
            made = true;
            return result;
        } finally {
            waiting.over(full.batchId().orElse(0), full.needed(), made);
        }
    }

    private <T> T wait(StoreFullException full, Supplier<T> attempt) {
        Deadline deadline = Deadline.in(ray.config().spillWait());
        if (deadline.left() <= 0) {
            throw full;
        }
        long client = ray.client();
        Waiter waiter = new Waiter(memory(full));
        long token = Wakeups.register(waiter);
        try {
            long first = Native.askForRoom(client, token);
            if (first == DOES_NOT_SPILL) {
                throw full;
            }
            long rounds = first;
            while (true) {
                try {
                    return attempt.get();
                } catch (StoreFullException still) {
                    if (rounds - first >= VAIN_ROUNDS || !waiter.await(deadline)) {
                        throw still;
                    }
                    rounds = Native.askForRoom(client, token);
                }
            }
        } finally {
            Wakeups.forget(token);
            forget(client, token);
        }
    }

    /** Does something, and if there is no room for it waits, as {@link #waiting} does. */
    <T> T orWait(Supplier<T> attempt) {
        try {
            return attempt.get();
        } catch (StoreFullException full) {
            return waiting(full, attempt);
        }
    }

    /** As {@link #waiting}, for what returns nothing. */
    void waiting(StoreFullException full, Runnable attempt) {
        waiting(full, () -> {
            attempt.run();
            return null;
        });
    }

    /** What a put waits for that found the store full. */
    Awaited memory(StoreFullException full) {
        return new Memory(full);
    }

    /** See {@link #memory}. */
    private final class Memory implements Awaited {

        private final StoreFullException full;

        Memory(StoreFullException full) {
            this.full = full;
        }

        @Override
        public RayApi ray() {
            return ray;
        }

        @Override
        public String describe() {
            return "memory in the store " + ray.storeName() + ": " + full.getMessage();
        }
    }

    private static void forget(long client, long token) {
        try {
            Native.forgetRoom(client, token);
        } catch (RayClosedException forgottenAlready) {
            // the exception that ended the wait says so
        }
    }
}
