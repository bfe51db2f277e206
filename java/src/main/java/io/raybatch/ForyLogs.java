package io.raybatch;

import org.apache.fory.logging.LogLevel;
import org.apache.fory.logging.LoggerFactory;

/**
 * Where Fory's warnings go: by itself it prints them to standard output, which belongs to the program. Where SLF4J is there they
 * go to that; elsewhere they are left out, since Fory can print to standard output only: what is wrong is thrown anyway.
 */
final class ForyLogs {

    private ForyLogs() {}

    /** To be called before a class of Fory's makes its logger. */
    static void direct() {
        boolean slf4j = hasSlf4j();
        LoggerFactory.useSlf4jLogging(slf4j);
        if (!slf4j) {
            LoggerFactory.setLogLevel(LogLevel.ERROR_LEVEL - 1);
        }
    }

    private static boolean hasSlf4j() {
        try {
            return org.slf4j.LoggerFactory.getILoggerFactory() != null;
        } catch (LinkageError notThere) {
            return false;
        }
    }
}
