package io.raybatch;

/**
 * Goes through a batch's objects, without an object of Java's for each. See {@link ObjectSlots#cursor()}. For one thread.
 */
public final class SlotCursor {

    private static final int AT_ONCE = 1024;

    private final ObjectSlots objects;
    /** {@code slot, size} each; filled by the native side, as far as {@code end}. */
    private final long[] found = new long[2 * AT_ONCE];
    private int at = -2;
    private int end;
    private long from;

    SlotCursor(ObjectSlots objects) {
        this.objects = objects;
    }

    /**
     * Goes to the next object.
     *
     * @return false when there are no more
     * @throws BatchEndedException when the batch is collected
     */
    public boolean next() {
        at += 2;
        if (at < end) {
            return true;
        }
        end = 2 * objects.scan(from, found);
        at = 0;
        if (end == 0) {
            at = -2;
            return false;
        }
        from = Slots.pack(Slots.slot(found[end - 2]) + 1, 0);
        return true;
    }

    /** {@return the object's slot} */
    public long slot() {
        return found[checked()];
    }

    /** {@return its size in bytes} */
    public int size() {
        return (int) found[checked() + 1];
    }

    /**
     * Copies the object out, whole.
     *
     * @param target takes the bytes
     * @param offset of the first
     * @return the object's size; -1 when it is not there any more
     * @throws ObjectCollectedException when the batch is collected
     * @throws ObjectBoundsException when it does not fit
     */
    public int get(byte[] target, int offset) {
        Checks.range("the target", Checks.notNull("the target", target).length, offset, 0);
        return objects.get(slot(), target, offset, target.length - offset);
    }

    private int checked() {
        if (at < 0 || at >= end) {
            throw new InvalidArgumentException("the cursor is not at an object: call next first", ErrorDetails.NONE);
        }
        return at;
    }
}
