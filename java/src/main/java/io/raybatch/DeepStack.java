package io.raybatch;

import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicLong;

/** Runs what needs a deeper stack than the calling thread may have: on a thread of its own, for which the caller waits. */
final class DeepStack {

    /** Address space, of which memory is used only as far as it is needed. */
    private static final long READING_BYTES = 1L << 30;
    private static final long WRITING_BYTES = 64L << 20;

    private static final AtomicLong STARTED = new AtomicLong();

    private DeepStack() {}

    /** How many threads were ever started for deep values. */
    static long started() {
        return STARTED.get();
    }

    static <T> T writing(Callable<T> work) throws Exception {
        return run(work, WRITING_BYTES);
    }

    /** Deeper than for writing: what was written can be read. */
    static <T> T reading(Callable<T> work) throws Exception {
        return run(work, READING_BYTES);
    }

    private static <T> T run(Callable<T> work, long bytes) throws Exception {
        RayApi reader = Handles.readerOrNull();
        boolean trying = Handles.isTrying();
        FutureTask<Object> task = new FutureTask<>(() -> {
            try {
                if (trying) {
                    Handles.trying(work);
                    return null;
                }
                return reader == null ? work.call() : Handles.readingFor(reader, work);
            } catch (StackOverflowError deeper) {
                // as a value, for the caller to tell it from a failure of the thread
                return deeper;
            }
        });
        Thread thread = new Thread(null, task, "raybatch-deep-value", bytes, false);
        thread.setDaemon(true);
        thread.setContextClassLoader(Thread.currentThread().getContextClassLoader());
        STARTED.incrementAndGet();
        thread.start();
        return result(task);
    }

    @SuppressWarnings("unchecked")
    private static <T> T result(FutureTask<Object> task) throws Exception {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    Object result = task.get();
                    if (result instanceof StackOverflowError tooDeep) {
                        throw tooDeep;
                    }
                    return (T) result;
                } catch (InterruptedException e) {
                    // it ends soon, as on the calling thread
                    interrupted = true;
                } catch (ExecutionException e) {
                    if (e.getCause() instanceof Error error) {
                        throw error;
                    }
                    throw (Exception) e.getCause();
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** True if the stack ran over, whoever wrapped that. */
    static boolean ranOver(Throwable thrown) {
        int depth = 0;
        for (Throwable t = thrown; t != null && depth < 20; t = t.getCause(), depth++) {
            if (t instanceof StackOverflowError) {
                return true;
            }
        }
        return false;
    }
}
