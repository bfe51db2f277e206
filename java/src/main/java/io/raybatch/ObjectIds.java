package io.raybatch;

import java.util.Collection;

/** Ids as the native side takes them: 20 bytes each, end to end. */
final class ObjectIds {

    private ObjectIds() {}

    static byte[] of(Collection<? extends ObjectRef<?>> refs) {
        byte[] bytes = allocate(refs.size());
        int at = 0;
        for (ObjectRef<?> ref : refs) {
            if (ref == null) {
                throw new InvalidArgumentException("an object reference is null", ErrorDetails.NONE);
            }
            ref.id().copyTo(bytes, at);
            at += ObjectId.BYTES;
        }
        return bytes;
    }

    static byte[] of(ObjectId... ids) {
        byte[] bytes = allocate(ids.length);
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] == null) {
                throw new InvalidArgumentException("an object id is null", ErrorDetails.NONE);
            }
            ids[i].copyTo(bytes, i * ObjectId.BYTES);
        }
        return bytes;
    }

    private static byte[] allocate(int ids) {
        if (ids > Integer.MAX_VALUE / ObjectId.BYTES) {
            throw new InvalidArgumentException(
                    ids + " ids at once are too many: at most " + Integer.MAX_VALUE / ObjectId.BYTES, ErrorDetails.NONE);
        }
        return new byte[ids * ObjectId.BYTES];
    }
}
