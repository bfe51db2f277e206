package io.raybatch;

/** Steps that are all done, whatever one of them throws: the first exception is thrown in the end, with the others suppressed. */
final class Steps {

    private Throwable thrown;

    /** Does one. */
    Steps run(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            if (thrown == null) {
                thrown = e;
            } else if (thrown != e) {
                thrown.addSuppressed(e);
            }
        }
        return this;
    }

    /** Throws what the first one threw that did. */
    void end() {
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown != null) {
            throw (RuntimeException) thrown;
        }
    }

    /** Does something because of a failure, which hides nothing of that. */
    static void afterFailure(Throwable failure, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            if (failure != e) {
                failure.addSuppressed(e);
            }
        }
    }
}
