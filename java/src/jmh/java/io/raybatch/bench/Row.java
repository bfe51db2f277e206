package io.raybatch.bench;

/**
 * One thing to measure.
 *
 * @param work what is done
 * @param subject by whom
 * @param size bytes of an object
 * @param count objects; of {@code live_batches}, batches
 * @param threads that do it
 * @param warm whether the memory was used before
 * @param order of gets: {@code in-order} or {@code shuffled}
 * @param newer whether it runs on the newer JDK, as what is compiled for it must, and what that is compared with
 */
record Row(Work work, String subject, int size, int count, int threads, boolean warm, String order, boolean newer) {

    static final String IN_ORDER = "in-order";
    static final String SHUFFLED = "shuffled";

    static Row of(Work work, String subject, int size, int count) {
        return new Row(work, subject, size, count, work == Work.SCALING ? 2 : 1, true, IN_ORDER, false);
    }

    Row cold() {
        return new Row(work, subject, size, count, threads, false, order, newer);
    }

    Row ordered(String how) {
        return new Row(work, subject, size, count, threads, warm, how, newer);
    }

    Row onNewer() {
        return new Row(work, subject, size, count, threads, warm, order, true);
    }

    /** {@return what two rows have in common that are compared} */
    Row of(String other) {
        return new Row(work, other, size, count, threads, warm, order, newer);
    }

    /** {@return what a pattern is matched with} */
    String name() {
        return String.join("/", work.label(), subject, "" + size, "" + count, "" + threads, warm ? "warm" : "cold", order)
                + (newer ? "/newer" : "");
    }
}
