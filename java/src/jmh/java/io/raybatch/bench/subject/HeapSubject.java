package io.raybatch.bench.subject;

/**
 * What Java programs do when they think of nothing: a copy on the heap, a reference in an array. Releasing drops the
 * array; the memory comes back in the JVM's collections, which therefore fall into whatever allocates next.
 */
final class HeapSubject implements Subject {

    private byte[][] objects;

    @Override
    public void begin(int count, int size) {
        objects = new byte[count][];
    }

    @Override
    public void put(int number, byte[] bytes) {
        objects[number] = bytes.clone();
    }

    @Override
    public int get(int number, byte[] into) {
        byte[] object = objects[number];
        System.arraycopy(object, 0, into, 0, object.length);
        return object.length;
    }

    @Override
    public void releaseAll() {
        objects = null;
    }

    @Override
    public long held() {
        return 0;
    }

    @Override
    public boolean onHeap() {
        return true;
    }

    @Override
    public void close() {
        objects = null;
    }
}
