/** Subjects that need the memory API of JDK 22. */
package io.raybatch.bench.arena;
