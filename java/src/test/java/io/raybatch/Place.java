package io.raybatch;

/** Where a case of the store runs: with nothing current, or with a batch current. */
enum Place {
    NORMAL_MODE,
    IN_A_BATCH;

    /** To be closed; until then {@code ray}'s methods work there. */
    Space enter(RayApi ray) {
        return new Space(this == IN_A_BATCH ? ray.startBatch() : null);
    }

    record Space(Batch batch) implements AutoCloseable {
        @Override
        public void close() {
            if (batch != null) {
                batch.close();
            }
        }
    }
}
