/**
 * Programs that show how raybatch is used: the job scheduler that batches were asked for, and, in {@code demo}, what it
 * gains on real graphs.
 */
package io.raybatch.examples;
