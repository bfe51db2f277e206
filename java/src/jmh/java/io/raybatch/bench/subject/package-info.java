/** What is measured: raybatch, what one would use instead of it, and the floor under both, behind one interface. */
package io.raybatch.bench.subject;
