package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Of what a task threw, all that can be kept arrives. */
@Timeout(60)
class FailureValuesTest extends StoreTest {

    static final class Lazy extends RuntimeException {
        private static final long serialVersionUID = 1;

        Lazy() {
            super("what happened");
        }

        @Override
        public Throwable getCause() {
            throw new IllegalStateException("no cause for you");
        }
    }

    static final class Traceless extends RuntimeException {
        private static final long serialVersionUID = 1;

        Traceless(Throwable cause) {
            super("traceless", cause);
        }

        @Override
        public StackTraceElement[] getStackTrace() {
            return null;
        }
    }

    static final class Mute extends RuntimeException {
        private static final long serialVersionUID = 1;

        Mute() {
            super("mute");
        }

        @Override
        public String toString() {
            return null;
        }

        @Override
        public String getMessage() {
            throw new IllegalStateException();
        }
    }

    /** Neither Java nor Fory can write it. */
    static final class Unwritable extends RuntimeException {
        private static final long serialVersionUID = 1;
        @SuppressWarnings("serial")
        final Object thread = new Thread("never started");

        Unwritable(String message, Throwable cause) {
            super(message, cause);
        }
    }

    private TaskException failure(RayVoidFunc0 task) {
        return catchThrowableOfType(TaskException.class, () -> ray.task(task).remote().get());
    }

    @Test
    void one_whose_cause_cannot_be_asked_for() {
        TaskException e = failure(() -> {
            throw new Lazy();
        });
        assertThat(e).hasMessageContaining("what happened");
        assertThat(e.getCause()).isInstanceOf(Lazy.class).hasMessage("what happened");
        assertThat(e.getCause().getStackTrace()[0].getClassName()).isEqualTo(FailureValuesTest.class.getName());
        assertThat(e.remoteStackTrace()).contains("what happened", "FailureValuesTest");
    }

    @Test
    void one_without_a_trace() {
        TaskException e = failure(() -> {
            throw new Traceless(new IOException("disk"));
        });
        assertThat(e.getCause()).isInstanceOf(Traceless.class).hasMessage("traceless");
        assertThat(e.getCause().getCause()).isInstanceOf(IOException.class).hasMessage("disk");
    }

    @Test
    void one_without_words() {
        TaskException e = failure(() -> {
            throw new Mute();
        });
        assertThat(e).hasMessageContaining("FailureValuesTest$Mute");
        assertThat(e.getCause()).isInstanceOf(Mute.class);
    }

    @Test
    void a_suppressed_one_that_cannot_be_written_has_a_stand_in_and_the_rest_is_real() {
        TaskException e = failure(() -> {
            IllegalStateException thrown = new IllegalStateException("outer", new IOException("disk"));
            thrown.addSuppressed(new IllegalArgumentException("fine"));
            thrown.addSuppressed(new Unwritable("has a thread", new IOException("inner")));
            throw thrown;
        });
        assertThat(e.getCause()).isInstanceOf(IllegalStateException.class).hasMessage("outer").hasCauseInstanceOf(IOException.class);
        Throwable[] suppressed = e.getCause().getSuppressed();
        assertThat(suppressed).hasSize(2);
        assertThat(suppressed[0]).isInstanceOf(IllegalArgumentException.class).hasMessage("fine");
        assertThat(suppressed[1]).isInstanceOf(RemoteException.class).hasMessageContaining("has a thread");
        assertThat(suppressed[1].getCause()).isInstanceOf(IOException.class).hasMessage("inner");
    }

    @Test
    void a_cause_that_cannot_be_written_has_a_stand_in() {
        TaskException e = failure(() -> {
            throw new IllegalStateException("outer", new Unwritable("has a thread", new IOException("inner")));
        });
        assertThat(e.getCause()).isInstanceOf(IllegalStateException.class);
        assertThat(e.getCause().getCause()).isInstanceOf(RemoteException.class).hasMessageContaining("has a thread");
        assertThat(e.getCause().getCause().getCause()).isInstanceOf(IOException.class).hasMessage("inner");
    }

    @Test
    void one_that_cannot_be_written_itself_has_real_causes() {
        TaskException e = failure(() -> {
            Unwritable thrown = new Unwritable("outer", new IOException("inner"));
            thrown.addSuppressed(new IllegalArgumentException("fine"));
            throw thrown;
        });
        assertThat(e.getCause()).isInstanceOf(RemoteException.class).hasMessageContaining("outer");
        assertThat(((RemoteException) e.getCause()).className()).isEqualTo(Unwritable.class.getName());
        assertThat(e.getCause()).hasCauseInstanceOf(IOException.class);
        assertThat(e.getCause().getSuppressed()[0]).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void causes_in_a_circle_end() {
        TaskException e = failure(() -> {
            Unwritable inner = new Unwritable("inner", null);
            IllegalStateException outer = new IllegalStateException("outer", inner);
            inner.addSuppressed(outer);
            throw outer;
        });
        assertThat(e).hasMessageContaining("outer");
        assertThat(e.getCause()).isNotNull();
    }

    @Test
    void a_full_store_arrives_as_what_it_is_from_inside_a_task() {
        reopen(config -> config.storeSize("2m"));
        TaskException e = failure(() -> {
            Batch batch = ray.startBatch();
            try {
                while (true) {
                    batch.put(new byte[8 << 10]);
                }
            } catch (StoreFullException full) {
                throw new IllegalStateException("no space for the rest", full);
            }
        });
        assertThat(e).hasMessageContaining("no space for the rest");
        assertThat(e.getCause()).hasMessageContaining("no space for the rest");
        assertThat(e.getCause().getCause()).isInstanceOf(StoreFullException.class);
        assertThat(((StoreFullException) e.getCause().getCause()).needed()).isPositive();
    }

    @Test
    void a_payload_that_was_cut_is_read_as_far_as_it_goes() {
        byte[] whole = Thrown.payload("App.f", "t", new IllegalStateException("boom", new IOException("disk")), Serializer.fory());
        for (int length = whole.length; length > 20; length -= 7) {
            byte[] cut = java.util.Arrays.copyOf(whole, length);
            RayException e = new Failures.Failure(cut).exception(new ObjectId(7, 11, 0), Serializer.fory());
            assertThat(e).isInstanceOf(TaskException.class).hasMessageContaining("App.f");
        }
    }

    @Test
    void neither_the_name_nor_the_priority_that_a_task_gave_its_thread_stays() {
        reopen(config -> config.taskSlots(1));
        Set<String> names = ConcurrentHashMap.newKeySet();
        for (int n = 0; n < 20; n++) {
            List<Object> seen = ray.task(() -> {
                Thread thread = Thread.currentThread();
                List<Object> found = List.of(thread.getName(), thread.getPriority(), thread.isInterrupted());
                thread.setName("mine");
                thread.setPriority(Thread.MAX_PRIORITY);
                thread.interrupt();
                return found;
            }).remote().get();
            names.add((String) seen.get(0));
            assertThat(seen.subList(1, 3)).containsExactly(Thread.NORM_PRIORITY, false);
        }
        assertThat(names).allMatch(name -> name.startsWith("raybatch-worker-"));
        TaskException e = failure(() -> {
            Thread.currentThread().setName("mine");
            throw new IllegalStateException();
        });
        assertThat(e.thread()).startsWith("raybatch-worker-");
    }
}
