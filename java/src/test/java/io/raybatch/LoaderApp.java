package io.raybatch;

import java.util.function.Supplier;

/** Classes of an application, of which each loader of a test has its own ones. */
final class LoaderApp {

    private LoaderApp() {}

    enum Color { RED, GREEN { @Override boolean grows() { return true; } }; boolean grows() { return false; } }

    record Item(int n, Color color) {}

    /** Makes a value. */
    static final class Maker implements Supplier<Object> {
        @Override
        public Object get() {
            return new Item(7, Color.GREEN);
        }
    }

    static final class Trouble extends RuntimeException {
        private static final long serialVersionUID = 1;
        final Color color = Color.GREEN;

        Trouble() {
            super("trouble");
        }
    }
}
