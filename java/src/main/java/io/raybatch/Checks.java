package io.raybatch;

/** Arguments that are looked at before anything is done. */
final class Checks {

    private Checks() {}

    static <T> T notNull(String what, T value) {
        if (value == null) {
            throw new InvalidArgumentException(what + " is null", ErrorDetails.NONE);
        }
        return value;
    }

    /**
     * A name by which something is found again.
     *
     * @throws InvalidArgumentException for a lone surrogate: it has no form in UTF-8, so nothing would be found by it
     */
    static String text(String what, String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (!Character.isSurrogate(c)) {
                continue;
            }
            boolean paired = Character.isHighSurrogate(c)
                    && i + 1 < value.length()
                    && Character.isLowSurrogate(value.charAt(i + 1));
            if (!paired) {
                throw new InvalidArgumentException(
                        what + " has a lone surrogate at index " + i + ", which has no form in UTF-8: take another name",
                        ErrorDetails.NONE);
            }
            i++;
        }
        return value;
    }

    static int within(String what, int value, int least, int most) {
        if (value < least || value > most) {
            throw new InvalidArgumentException(
                    what + " is " + value + ", and must be " + least + " … " + most, ErrorDetails.NONE);
        }
        return value;
    }

    /** That {@code count} elements from {@code at} on are inside of something that has {@code length}. */
    static void range(String what, int length, int at, int count) {
        if (at < 0 || count < 0 || at > length - count) {
            throw bounds("offset " + at + " and length " + count + " are outside of " + what + " of " + Math.max(length, 0));
        }
    }

    /** That the offsets {@code from … from + count} rise, or stay, within {@code 0 … length}. */
    static void ascending(int[] offsets, int from, int count, int length) {
        int before = 0;
        for (int n = from; n <= from + count; n++) {
            int offset = offsets[n];
            if (offset < before || offset > length) {
                throw bounds("offset " + n + " is " + offset + ": it must be " + before + " … " + length);
            }
            before = offset;
        }
    }

    static ObjectBoundsException bounds(String what) {
        return new ObjectBoundsException(what, ErrorDetails.NONE);
    }
}
