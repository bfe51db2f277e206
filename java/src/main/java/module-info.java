/**
 * raybatch: a batch-scoped object store for the JVM.
 */
@SuppressWarnings("requires-automatic") // Micrometer has a name, and no descriptor
module io.raybatch {
    requires org.apache.fory.core;
    // what serializes values reads and writes objects by sun.misc.Unsafe; on a JDK 25 it does not require that itself
    requires jdk.unsupported;
    requires static org.slf4j;
    requires static jdk.jfr;
    requires static micrometer.core;
    // not transitive: that would have every module that uses this one need JUnit to compile
    requires static org.junit.jupiter.api;

    exports io.raybatch;
    exports io.raybatch.junit;
    exports io.raybatch.micrometer;
}
