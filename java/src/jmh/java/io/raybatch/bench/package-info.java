/** {@code ./gradlew bench}: raybatch beside its peers, each row in a JVM of its own, one table of all. */
package io.raybatch.bench;
