package io.raybatch;

import java.util.function.Supplier;

/**
 * Where log records go: to SLF4J when it is there, else to {@link System.Logger}. The native side's records come with
 * loggers below {@code io.raybatch.native}.
 */
final class RayLog {

    /** Levels as the native side numbers them. */
    static final int OFF = 0;
    static final int ERROR = 1;
    static final int WARN = 2;
    static final int INFO = 3;
    static final int DEBUG = 4;
    static final int TRACE = 5;

    static final String NAME = "io.raybatch";
    static final String NATIVE = NAME + ".native";

    private static final Backend BACKEND = choose();

    private RayLog() {}

    /** One way of logging. */
    private interface Backend {
        void log(String logger, int level, String message, Throwable thrown);

        boolean isEnabled(String logger, int level);
    }

    private static Backend choose() {
        try {
            return slf4j().get();
        } catch (LinkageError | RuntimeException notThere) {
            // or there is one that cannot be used
            return new Platform();
        }
    }

    /** Apart, so that verifying this class does not need SLF4J's. */
    private static Supplier<Backend> slf4j() {
        return Slf4j::new;
    }

    static void error(String message) {
        BACKEND.log(NAME, ERROR, message, null);
    }

    static void error(String message, Throwable thrown) {
        BACKEND.log(NAME, ERROR, message, thrown);
    }

    static void warn(String message, Throwable thrown) {
        BACKEND.log(NAME, WARN, message, thrown);
    }

    /** The most that anybody listens to of the native side's records. */
    static int nativeLevel() {
        int level = TRACE;
        while (level > OFF && !BACKEND.isEnabled(NATIVE, level)) {
            level--;
        }
        return level;
    }

    /** A record of the native side; {@code target} is a Rust module such as {@code raybatch::store::arena}. */
    static void fromNative(int level, String target, String message) {
        String room = target.startsWith("raybatch") ? target.substring("raybatch".length()) : "::" + target;
        BACKEND.log(NATIVE + room.replace("::", "."), level, message, null);
    }

    /** By what SLF4J has had since 1.7. */
    private static final class Slf4j implements Backend {

        Slf4j() {
            // fails here, and not at the first record, where there is no SLF4J or it cannot be used
            org.slf4j.LoggerFactory.getLogger(NAME);
        }

        @Override
        public void log(String logger, int level, String message, Throwable thrown) {
            org.slf4j.Logger to = org.slf4j.LoggerFactory.getLogger(logger);
            switch (level) {
                case ERROR -> to.error(message, thrown);
                case WARN -> to.warn(message, thrown);
                case INFO -> to.info(message, thrown);
                case DEBUG -> to.debug(message, thrown);
                default -> to.trace(message, thrown);
            }
        }

        @Override
        public boolean isEnabled(String logger, int level) {
            org.slf4j.Logger to = org.slf4j.LoggerFactory.getLogger(logger);
            return switch (level) {
                case ERROR -> to.isErrorEnabled();
                case WARN -> to.isWarnEnabled();
                case INFO -> to.isInfoEnabled();
                case DEBUG -> to.isDebugEnabled();
                default -> to.isTraceEnabled();
            };
        }
    }

    private static final class Platform implements Backend {

        @Override
        public void log(String logger, int level, String message, Throwable thrown) {
            System.getLogger(logger).log(level(level), message, thrown);
        }

        @Override
        public boolean isEnabled(String logger, int level) {
            return System.getLogger(logger).isLoggable(level(level));
        }

        private static System.Logger.Level level(int level) {
            return switch (level) {
                case ERROR -> System.Logger.Level.ERROR;
                case WARN -> System.Logger.Level.WARNING;
                case INFO -> System.Logger.Level.INFO;
                case DEBUG -> System.Logger.Level.DEBUG;
                default -> System.Logger.Level.TRACE;
            };
        }
    }
}
