package io.raybatch;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes as people write them. */
final class ByteSize {

    private static final Pattern FORM = Pattern.compile("(\\d{1,18})\\s*([kmgt]?)(?:i?b)?");

    private ByteSize() {}

    /**
     * Reads {@code 4096}, {@code 64k}, {@code 512m}, {@code 2g} or {@code 1t}, in either case, powers of 1024.
     *
     * @throws InvalidArgumentException for any other text, naming {@code what}, and for more than 2^63 - 1
     */
    static long parse(String what, String text) {
        Matcher form = FORM.matcher(text.strip().toLowerCase(Locale.ROOT));
        if (form.matches()) {
            int shift = 10 * (form.group(2).isEmpty() ? 0 : 1 + "kmgt".indexOf(form.group(2)));
            long number = Long.parseLong(form.group(1));
            if (number <= Long.MAX_VALUE >> shift) {
                return number << shift;
            }
        }
        throw new InvalidArgumentException(
                what + " is \"" + text + "\": write a number of bytes, or one followed by k, m, g or t", ErrorDetails.NONE);
    }
}
