package io.raybatch;

import java.util.List;

/**
 * What a getter or a stage is to receive although its batch is collected before it has read it: "asked for before the batch
 * ended" means that there is a claim. Nothing is held before the collection; from then on the object is pinned, and the batch
 * drains, until the claim is closed.
 */
final class Claim implements AutoCloseable {

    private final long client;
    private final long token;

    private Claim(RayApi ray) {
        this.client = ray.client();
        this.token = Wakeups.token();
    }

    /** Look for the object after this. */
    static Claim on(RayApi ray, ObjectRef<?> ref) {
        Claim claim = new Claim(ray);
        Native.claim(claim.client, ref.batchId(), ref.task(), ref.index(), claim.token);
        return claim;
    }

    static Claim on(RayApi ray, List<? extends ObjectRef<?>> refs) {
        Claim claim = new Claim(ray);
        Native.claimAll(claim.client, ObjectIds.of(refs), claim.token);
        return claim;
    }

    /** The value of an object that is not there any more; {@link Values#ABSENT} if it was not kept. */
    Object get(RayApi ray, ObjectRef<?> ref) {
        Object[] out = new Object[1];
        int kind;
        try {
            kind = Native.getClaimed(client, token, ref.batchId(), ref.task(), ref.index(), out);
        } catch (RayClosedException closed) {
            return Values.ABSENT;
        }
        return kind < 0 ? Values.ABSENT : Values.of(ray, kind, out[0], ref.id());
    }

    /** These were read. */
    void release(List<? extends ObjectRef<?>> read) {
        Native.unclaim(client, ObjectIds.of(read), token);
    }

    @Override
    public void close() {
        Native.unclaimAll(client, token);
    }
}
