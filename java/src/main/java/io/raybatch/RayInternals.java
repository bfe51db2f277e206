package io.raybatch;

import java.nio.ByteBuffer;

/** What most programs never need. From {@link RayApi#internal()}. */
public final class RayInternals {

    private final RayApi ray;

    RayInternals(RayApi ray) {
        this.ray = ray;
    }

    /**
     * Writes an object in place. What was not written yet is zeroed first. The memory is the buffer's as long as the
     * buffer, or one made from it, is reachable, so that it is never another's; but whoever writes through it after the
     * object was sealed changes what is meant to be immutable, and nothing stops them.
     *
     * @param writer of an unsealed object
     * @return a direct, writable buffer over the whole object, big-endian as buffers are at first
     */
    public ByteBuffer writableBuffer(ObjectWriter writer) {
        return writer.writableBuffer();
    }

    /**
     * Walks the whole store, for tests: every byte in use is accounted for.
     *
     * @throws RayInternalException when its sums do not add up
     */
    public void audit() {
        Native.audit(ray.client());
    }
}
