/**
 * raybatch: a batch-scoped object store for the JVM.
 */
module io.raybatch {
    requires org.apache.fory.core;
    requires static org.slf4j;
    // not transitive: that would have every module that uses this one need JUnit to compile
    requires static org.junit.jupiter.api;

    exports io.raybatch;
    exports io.raybatch.junit;
}
