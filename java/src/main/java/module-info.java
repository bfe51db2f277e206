/**
 * raybatch: a batch-scoped object store for the JVM.
 */
module io.raybatch {
    requires org.apache.fory.core;
    requires static org.slf4j;
    requires static transitive org.junit.jupiter.api;

    exports io.raybatch;
    exports io.raybatch.junit;
}
