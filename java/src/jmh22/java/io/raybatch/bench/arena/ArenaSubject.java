package io.raybatch.bench.arena;

import io.raybatch.bench.subject.Subject;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.function.Supplier;

/**
 * The JDK's arena: one for each request, one segment in it as large as all objects together, which a slicing allocator deals out;
 * closing the arena is the bulk release. The JDK zeroes the segment when it is made, in {@link #begin}.
 */
final class ArenaSubject implements Subject {

    private static final int ALIGNMENT = 8;

    private final Supplier<Arena> arenas;
    private Arena arena;
    private SegmentAllocator slices;
    private MemorySegment[] objects;

    ArenaSubject(Supplier<Arena> arenas) {
        this.arenas = arenas;
    }

    @Override
    public void begin(int count, int size) {
        arena = arenas.get();
        slices = SegmentAllocator.slicingAllocator(arena.allocate((long) count * size, ALIGNMENT));
        objects = new MemorySegment[count];
    }

    @Override
    public void put(int number, byte[] bytes) {
        objects[number] = slices.allocateFrom(ValueLayout.JAVA_BYTE, bytes);
    }

    @Override
    public int get(int number, byte[] into) {
        MemorySegment object = objects[number];
        int size = (int) object.byteSize();
        MemorySegment.copy(object, ValueLayout.JAVA_BYTE, 0, into, 0, size);
        return size;
    }

    @Override
    public void releaseAll() {
        objects = null;
        slices = null;
        arena.close();
    }

    @Override
    public void close() {
        arena = null;
    }
}
