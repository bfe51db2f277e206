/** How it is measured: one JMH benchmark for each kind of work, the same for all subjects. */
package io.raybatch.bench.work;
