package io.raybatch;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.OutputStream;
import java.lang.invoke.SerializedLambda;

/** What a function is called where it was written. Found out where it is to be told, once for each place in the code. */
final class FunctionNames {

    /** The name of a class's only kind of instance; null until that was found out. */
    private static final ClassValue<String[]> KNOWN = new ClassValue<>() {
        @Override
        protected String[] computeValue(Class<?> type) {
            return new String[1];
        }
    };

    private FunctionNames() {}

    /** {@return {@code App.f} for {@code App::f}; the class's name where there is no method} */
    static String of(Object function) {
        String[] known = KNOWN.get(function.getClass());
        if (known[0] == null) {
            known[0] = find(function);
        }
        return known[0];
    }

    private static String find(Object function) {
        SerializedLambda form = function.getClass().isSynthetic() ? Catcher.formOf(function) : null;
        if (form == null) {
            return simple(function.getClass().getName());
        }
        String type = simple(form.getImplClass().replace('/', '.'));
        String method = form.getImplMethodName();
        return method.equals("<init>") ? "new " + type : type + "." + method;
    }

    private static String simple(String type) {
        int lambda = type.indexOf("$$Lambda");
        String name = lambda < 0 ? type : type.substring(0, lambda);
        return name.substring(name.lastIndexOf('.') + 1);
    }

    /** A lambda says what it is when it is written; it is not written. */
    private static final class Catcher extends ObjectOutputStream {

        private SerializedLambda caught;

        private Catcher() throws IOException {
            super(OutputStream.nullOutputStream());
            enableReplaceObject(true);
        }

        @Override
        protected Object replaceObject(Object object) {
            if (object instanceof SerializedLambda lambda) {
                caught = lambda;
            }
            return null;
        }

        static SerializedLambda formOf(Object function) {
            try (Catcher catcher = new Catcher()) {
                catcher.writeObject(function);
                return catcher.caught;
            } catch (IOException | RuntimeException noForm) {
                return null;
            }
        }
    }
}
