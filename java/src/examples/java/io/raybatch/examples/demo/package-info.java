/**
 * A job scheduler that serves graph requests beside a long job, once with the store as it was, which evicts what was least
 * recently used, once with batches, and, if that is asked for, once as tasks of batches.
 * {@link io.raybatch.examples.demo.Main} runs all and writes a report.
 *
 * <p>To read it in order: {@code Graph} and its readers; {@code Requests}, the plan that all runs follow;
 * {@code GraphRequest}, the short job, with {@code Branches} and {@code Team}, {@code TaskRequest}, the same as tasks, and
 * {@code SignatureJob}, the long one; {@code Run}; {@code Report}.
 */
package io.raybatch.examples.demo;
