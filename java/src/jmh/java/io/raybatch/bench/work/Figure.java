package io.raybatch.bench.work;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** What a benchmark measured that is not the time it took; JMH hands it to the parent with the iteration's result. */
@AuxCounters(AuxCounters.Type.EVENTS)
@State(Scope.Thread)
public class Figure {

    /** The figure, in the unit of its {@link io.raybatch.bench.Work}. */
    public double value;

    /** Further figures, as the benchmark says; 0 if it has none. */
    public double first;

    /** As {@link #first}. */
    public double second;
}
