package io.raybatch.bench;

import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;

/**
 * All that came out of a run.
 *
 * @param machine where it ran
 * @param versions of what ran
 * @param rows measured
 * @param rust what Criterion measured
 */
record Results(Map<String, Object> machine, Map<String, Object> versions, List<Measured> rows, List<Criterion.Estimate> rust) {

    static final String REFERENCE = "raybatch-direct";

    /** Of its median to that of raybatch in the same row of the same run; none when that was not measured. */
    OptionalDouble ratio(Measured one) {
        Row same = one.row().of(REFERENCE);
        return rows.stream()
                .filter(other -> other.row().equals(same) && other.median() != 0)
                .mapToDouble(other -> one.median() / other.median())
                .findFirst();
    }
}
