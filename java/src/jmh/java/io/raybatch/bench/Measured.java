package io.raybatch.bench;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What a row came to.
 *
 * @param row of it
 * @param median of the samples, in the unit of the work; {@link Work.Kind} says what a sample is
 * @param error half the distance between the samples' quartiles: half of them are about as near to the median
 * @param samples how many there are
 * @param further figures by name, where the work has some
 */
record Measured(Row row, double median, double error, int samples, Map<String, Double> further) {

    static Measured of(Row row, double[] samples, Map<String, Double> further) {
        double error = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2;
        return new Measured(row, quantile(samples, 0.5), error, samples.length, new LinkedHashMap<>(further));
    }

    /** Between the two samples that are nearest. */
    static double quantile(double[] samples, double part) {
        double[] sorted = samples.clone();
        Arrays.sort(sorted);
        double at = part * (sorted.length - 1);
        int below = (int) at;
        int above = Math.min(below + 1, sorted.length - 1);
        return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    }
}
