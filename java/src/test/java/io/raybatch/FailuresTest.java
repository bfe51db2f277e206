package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What a task threw, on its way to who gets its result. */
class FailuresTest {

    private static final ObjectId ID = new ObjectId(7, 11, 0);
    private static final Serializer SERIALIZER = Serializer.fory();

    static final class Plain extends Exception {
        private static final long serialVersionUID = 1;
        final int code;

        Plain(String message, int code, Throwable cause) {
            super(message, cause);
            this.code = code;
        }
    }

    /** Java refuses to write it. */
    static final class WithThread extends RuntimeException {
        private static final long serialVersionUID = 1;
        @SuppressWarnings("serial")
        final Object lock = new Thread("never started");

        WithThread() {
            super("has a thread");
        }
    }

    static final class Hostile extends RuntimeException {
        private static final long serialVersionUID = 1;
        @SuppressWarnings("serial")
        private final Object lock = new Object();

        @Override
        public String getMessage() {
            throw new IllegalStateException("no message for you" + lock.hashCode() * 0);
        }

        @Override
        public String toString() {
            throw new StackOverflowError();
        }
    }

    private static RayException through(Throwable thrown) {
        return through(Thrown.payload("App.f", "raybatch-worker-3", thrown, SERIALIZER));
    }

    private static RayException through(byte[] payload) {
        return new Failures.Failure(payload).exception(ID, SERIALIZER);
    }

    @Test
    void the_exception_arrives_as_it_was_with_its_trace_and_causes() {
        Plain thrown = new Plain("no such node", 404, new IOException("disk"));
        TaskException e = (TaskException) through(thrown);
        assertThat(e).hasMessage("task App.f failed on thread raybatch-worker-3: " + thrown);
        assertThat(e.code()).isEqualTo(ErrorCode.TASK_FAILED);
        assertThat(e.objectId()).contains(ID);
        assertThat(e.batchId()).hasValue(7);
        assertThat(e.taskName()).isEqualTo("App.f");
        assertThat(e.thread()).isEqualTo("raybatch-worker-3");
        assertThat(e.getCause()).isInstanceOf(Plain.class).isNotSameAs(thrown);
        assertThat(((Plain) e.getCause()).code).isEqualTo(404);
        assertThat(e.getCause().getStackTrace()).isEqualTo(thrown.getStackTrace());
        assertThat(e.getCause().getCause()).isInstanceOf(IOException.class).hasMessage("disk");
        assertThat(e.remoteStackTrace()).contains("no such node", "FailuresTest", "Caused by: java.io.IOException: disk");
    }

    @Test
    void one_that_java_refuses_to_write_has_its_name_message_and_trace_at_least() {
        WithThread thrown = new WithThread();
        TaskException e = (TaskException) through(thrown);
        assertThat(e).hasMessageContaining("has a thread");
        assertThat(e.getCause()).isNotNull();
        assertThat(e.getCause().getStackTrace()[0]).hasToString(thrown.getStackTrace()[0].toString());
    }

    @Test
    void one_that_cannot_be_read_is_stood_for() {
        byte[] payload = Thrown.payload("App.f", "t", new Plain("gone", 1, new Plain("inner", 2, null)), new Serializer() {
            @Override
            public byte[] serialize(Object value) throws IOException {
                throw new IOException("refused");
            }

            @Override
            public Object deserialize(byte[] bytes) throws IOException {
                throw new IOException("refused");
            }
        });
        // as if the class were not there: its name in the part for Java is another one
        byte[] broken = replaceLast(payload, "FailuresTest$Plain", "FailuresTest$Pzain");
        TaskException e = (TaskException) through(broken);
        assertThat(e.getCause()).isInstanceOf(RemoteException.class).hasMessageContaining("FailuresTest$Plain: gone");
        assertThat(((RemoteException) e.getCause()).className()).isEqualTo(Plain.class.getName());
        assertThat(e.getCause().getCause()).isInstanceOf(RemoteException.class).hasMessageContaining("inner");
        assertThat(e.getCause().getStackTrace()).isNotEmpty();
    }

    @Test
    void one_that_does_not_want_to_be_told_is_told_all_the_same() {
        TaskException e = (TaskException) through(new Hostile());
        assertThat(e.getMessage()).contains("FailuresTest$Hostile");
        assertThat(through(new StackOverflowError())).isInstanceOf(TaskException.class);
        assertThat(through(deep(3000)).getMessage()).contains("deep");
        assertThat(through(new IllegalStateException("x".repeat(1 << 20))).getMessage()).contains("xxx");
    }

    private static Throwable deep(int causes) {
        Throwable all = new IllegalStateException("deep");
        for (int n = 0; n < causes; n++) {
            all = new IllegalStateException("deep", all);
        }
        return all;
    }

    @Test
    void who_cancelled_is_told() {
        TaskCancelledException e = (TaskCancelledException) through(text(Failures.CANCELLED, "cancelled by main"));
        assertThat(e).hasMessage("the task of object " + ID + " was cancelled by main");
        assertThat(e.cancelledBy()).isEqualTo("main");
        assertThat(through(text(Failures.CANCELLED, "cancelled: batch 7 timed out")))
                .hasMessageEndingWith("was cancelled: batch 7 timed out");
        assertThat(through(text(Failures.CANCELLED, "its thread was given up")))
                .hasMessageEndingWith("was cancelled: its thread was given up");
    }

    @Test
    void a_failed_argument_says_what_it_failed_with_and_who_needed_it() {
        ObjectId first = new ObjectId(7, 1, 0);
        byte[] inner = Thrown.payload("App.g", "t", new IllegalStateException("boom"), SERIALIZER);
        byte[] payload = Failures.ofArgument(first, inner);
        assertThat(Failures.ofArgument(new ObjectId(7, 2, 0), payload)).as("the first one stays").isEqualTo(payload);
        TaskException e = (TaskException) through(payload);
        assertThat(e.objectId()).contains(first);
        assertThat(e.getCause()).isInstanceOf(IllegalStateException.class).hasMessage("boom");
        assertThat(e).hasMessageContaining("App.g").hasMessageEndingWith("; the task of object " + ID + " needed its result");
        assertThat(through(Failures.ofArgument(first, text(Failures.CANCELLED, "cancelled by x"))))
                .isInstanceOf(TaskCancelledException.class);
    }

    @Test
    void the_native_sides_failures_are_told() {
        assertThat(through(text(Failures.ACTOR_DIED, "actor 3 is dead: killed"))).isInstanceOf(ActorDiedException.class)
                .hasMessage("actor 3 is dead: killed");
        assertThat(through(text(Failures.INTERNAL, "no room"))).isInstanceOf(TaskException.class).hasMessageContaining("no room");
        assertThat(through(new byte[0])).isInstanceOf(TaskException.class).hasMessageContaining("no memory");
        byte[] lost = new byte[1 + ObjectId.BYTES];
        lost[0] = Failures.LOST_ARGUMENT;
        new ObjectId(9, 9, 9).copyTo(lost, 1);
        assertThat(through(lost)).isInstanceOf(ObjectLostException.class).hasMessageContaining(new ObjectId(9, 9, 9).toString());
        assertThat(through(new byte[] {99})).isInstanceOf(TaskException.class).hasMessageContaining("99");
        assertThat(through(new byte[] {Failures.EXCEPTION, 0, 0})).isInstanceOf(TaskException.class)
                .hasMessageContaining("cannot be read");
    }

    private static byte[] text(int tag, String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        byte[] payload = new byte[1 + utf8.length];
        payload[0] = (byte) tag;
        System.arraycopy(utf8, 0, payload, 1, utf8.length);
        return payload;
    }

    private static byte[] replaceLast(byte[] payload, String what, String by) {
        String latin = new String(payload, StandardCharsets.ISO_8859_1);
        int at = latin.lastIndexOf(what);
        byte[] replaced = Arrays.copyOf(payload, payload.length);
        System.arraycopy(by.getBytes(StandardCharsets.ISO_8859_1), 0, replaced, at, by.length());
        return replaced;
    }
}
