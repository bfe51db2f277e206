package io.raybatch.examples.demo;

/**
 * The tasks of a run whose requests were served by them.
 *
 * @param count of all requests
 * @param most of one request
 * @param cancelled requests that were cancelled at their budget
 */
record RunTasks(long count, long most, int cancelled) {}
