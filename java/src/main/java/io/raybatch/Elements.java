package io.raybatch;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;

/** What a task of several results returned, as a list of them. */
final class Elements extends AbstractList<Object> {

    private final int size;
    private final IntFunction<Object> element;

    private Elements(int size, IntFunction<Object> element) {
        this.size = size;
        this.element = element;
    }

    /** The elements of a list, or of an array of any type; null for anything else. */
    static List<?> of(Object result) {
        if (result instanceof List<?> list) {
            return list;
        } else if (result instanceof Object[] array) {
            return Arrays.asList(array);
        } else if (result instanceof long[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof int[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof short[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof byte[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof char[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof boolean[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof double[] array) {
            return new Elements(array.length, n -> array[n]);
        } else if (result instanceof float[] array) {
            return new Elements(array.length, n -> array[n]);
        }
        return null;
    }

    @Override
    public Object get(int index) {
        return element.apply(index);
    }

    @Override
    public int size() {
        return size;
    }
}
