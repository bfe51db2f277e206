/** The figures of a store for Micrometer: {@link io.raybatch.micrometer.RayMetrics}. Needs {@code micrometer-core}, which the rest does not. */
package io.raybatch.micrometer;
