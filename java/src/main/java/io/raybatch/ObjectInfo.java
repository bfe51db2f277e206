package io.raybatch;

import java.time.Instant;

/**
 * One object as {@link RayApi#list()} shows it.
 *
 * @param id its id
 * @param size bytes of data
 * @param metadataSize bytes of metadata
 * @param state being written, sealed or freed
 * @param references readers and writers that hold it
 * @param created when it was created; {@link Instant#EPOCH} inside a batch, where no times are kept
 * @param accessed when it was last read; {@link Instant#EPOCH} inside a batch
 * @param kind what its bytes are
 * @param owner the batch that owns it: other than its id's batch when it was kept or transferred; 0 in normal mode
 */
public record ObjectInfo(
        ObjectId id,
        long size,
        long metadataSize,
        ObjectState state,
        int references,
        Instant created,
        Instant accessed,
        ObjectKind kind,
        long owner) {

    private static final int FIGURES = 8;

    /** From {@link Native#list}. */
    static ObjectInfo[] of(Object[] listed) {
        byte[] ids = (byte[]) listed[0];
        long[] figures = (long[]) listed[1];
        ObjectInfo[] all = new ObjectInfo[figures.length / FIGURES];
        for (int i = 0; i < all.length; i++) {
            int f = i * FIGURES;
            all[i] = new ObjectInfo(
                    ObjectId.at(ids, i * ObjectId.BYTES),
                    figures[f],
                    figures[f + 1],
                    ObjectState.of(figures[f + 2]),
                    Math.toIntExact(figures[f + 3]),
                    Instant.ofEpochMilli(figures[f + 4]),
                    Instant.ofEpochMilli(figures[f + 5]),
                    ObjectKind.of(figures[f + 6]),
                    figures[f + 7]);
        }
        return all;
    }
}
