package io.raybatch;

/** Who acts, for records and messages. */
final class Actor {

    private Actor() {}

    /** {@return the current thread's name; virtual threads mostly have none but a number} */
    static String name() {
        Thread thread = Thread.currentThread();
        String name = thread.getName();
        return name.isEmpty() ? thread.toString() : name;
    }
}
