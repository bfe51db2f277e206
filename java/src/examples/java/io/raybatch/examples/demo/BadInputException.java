package io.raybatch.examples.demo;

/** What the user gave cannot be used: an option, a file, a line of it. The message is for them, and needs no stack trace. */
final class BadInputException extends Exception {

    private static final long serialVersionUID = 1;

    BadInputException(String message) {
        super(message);
    }

    /** A line that is not as it must be; lines count from 1. */
    static BadInputException at(String file, long line, String why) {
        return new BadInputException(file + ":" + line + ": " + why);
    }
}
