package io.raybatch.bench.subject;

/** Subjects that are compiled apart, for a newer JDK; found by {@link java.util.ServiceLoader}. */
public interface SubjectProvider {

    /**
     * Makes a subject.
     *
     * @param name of it
     * @return null if it is not one of this provider's
     */
    Subject subject(String name);
}
