package io.raybatch.examples.demo;

import io.raybatch.ObjectRef;
import io.raybatch.examples.IRayaJobDriver;

/** The short job in one of its ways. One instance serves request after request. */
interface ShortJob extends IRayaJobDriver, AutoCloseable {

    /** Sets what the next start serves. */
    ShortJob from(int node);

    /** Of the last request. */
    long jobId();

    /** Of the last request; null if that was cancelled. */
    ObjectRef<long[]> answer();

    /** The last request's answer, as it was computed; null if that was cancelled. */
    long[] sum();

    /** Tasks of the last request, whether or not they came to be run. */
    long tasks();

    /** Own objects that were evicted before they were read, of all requests. */
    long lost();

    /** Time that all requests put, in milliseconds; not a number where putting and reading go on at one time. */
    double putMillis();

    /** Time that all requests read; as {@link #putMillis}. */
    double readMillis();

    /** Ends its threads. */
    @Override
    void close();
}
