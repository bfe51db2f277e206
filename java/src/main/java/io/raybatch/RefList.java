package io.raybatch;

import java.util.ArrayList;
import java.util.List;

/**
 * An argument that is a list of references: what they hold is what the function receives. A list that is a value, of references as
 * well, is a plain list.
 *
 * @param refs none of them null; not written to any more
 */
record RefList(List<ObjectRef<?>> refs) {

    /**
     * The references as they are now.
     *
     * @throws InvalidArgumentException when the list or one of them is null
     */
    static RefList of(List<? extends ObjectRef<?>> refs) {
        List<ObjectRef<?>> copy = new ArrayList<>(Checks.notNull("the list of references", refs));
        int missing = copy.indexOf(null);
        if (missing >= 0) {
            throw new InvalidArgumentException(
                    "reference " + missing + " of a list of " + copy.size() + " is null: each must name an object", ErrorDetails.NONE);
        }
        return new RefList(copy);
    }
}
