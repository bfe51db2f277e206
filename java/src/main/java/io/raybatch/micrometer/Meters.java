package io.raybatch.micrometer;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.binder.BaseUnits;
import io.raybatch.GroupNotFoundException;
import io.raybatch.RayApi;
import io.raybatch.RayClosedException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * Registers meters that have one source, at which they look together, at most once in a second. What has no source any more is not a
 * number.
 *
 * @param <T> what a look at the source shows
 */
final class Meters<T> {

    private static final long FRESH_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final RayApi ray;
    private final Supplier<T> source;
    private final Tags tags;

    /** Guarded by this. */
    private T last;
    private long lastNanos;

    Meters(RayApi ray, Supplier<T> source, Tags tags) {
        this.ray = ray;
        this.source = source;
        this.tags = tags;
    }

    void bytes(MeterRegistry registry, String name, String what, ToDoubleFunction<T> figure) {
        gauge(registry, name, BaseUnits.BYTES, what, figure);
    }

    void gauge(MeterRegistry registry, String name, String unit, String what, ToDoubleFunction<T> figure) {
        Gauge.builder("raybatch." + name, this, meters -> meters.read(figure))
                .tags(tags).baseUnit(unit).description(what).strongReference(true).register(registry);
    }

    void counter(MeterRegistry registry, String name, String unit, String what, ToDoubleFunction<T> figure) {
        // whoever counts holds its object weakly; the gauges hold this one
        FunctionCounter.builder("raybatch." + name, this, meters -> meters.read(figure))
                .tags(tags).baseUnit(unit).description(what).register(registry);
    }

    private double read(ToDoubleFunction<T> figure) {
        try {
            return figure.applyAsDouble(look());
        } catch (RayClosedException | GroupNotFoundException over) {
            return Double.NaN;
        }
    }

    private synchronized T look() {
        long now = System.nanoTime();
        if (last == null || now - lastNanos >= FRESH_NANOS || ray.isClosed()) {
            last = source.get();
            lastNanos = now;
        }
        return last;
    }
}
