/**
 * The events that raybatch writes into a recording of Java Flight Recorder, while one goes on: see
 * {@link io.raybatch.flight.FlightEvents}. Programs need nothing of this; whoever reads a recording finds here what its fields mean.
 */
package io.raybatch.flight;
