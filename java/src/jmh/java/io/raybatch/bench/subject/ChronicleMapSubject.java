package io.raybatch.bench.subject;

import net.openhft.chronicle.map.ChronicleMap;

/**
 * Chronicle Map in memory, from number to bytes, told the number and the size of its entries, reads into the caller's array
 * ({@code getUsing}), old values neither returned by puts nor by removals, {@code clear} as the bulk release.
 */
final class ChronicleMapSubject implements Subject {

    private ChronicleMap<Integer, byte[]> map;

    @Override
    public void begin(int count, int size) {
        if (map == null) {
            map = ChronicleMap.of(Integer.class, byte[].class)
                    .name("request")
                    .entries(count)
                    .constantValueSizeBySample(new byte[size])
                    .putReturnsNull(true)
                    .removeReturnsNull(true)
                    .create();
        }
    }

    @Override
    public void put(int number, byte[] bytes) {
        map.put(number, bytes);
    }

    @Override
    public int get(int number, byte[] into) {
        return map.getUsing(number, into).length;
    }

    @Override
    public void releaseAll() {
        map.clear();
    }

    @Override
    public void close() {
        if (map != null) {
            map.close();
        }
    }
}
