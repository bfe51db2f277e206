package io.raybatch.examples.demo;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Each node's 64 bytes of features: eight words that are a function of the node's number alone. A service that answers requests
 * has them in memory, as a table.
 */
final class Features {

    static final int WORDS = 8;
    static final int BYTES = WORDS * Long.BYTES;

    static final VarHandle WORD = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    private static final long STEP = 0x9e3779b97f4a7c15L;

    private final byte[] table;

    /** Of nodes {@code 0 … nodes - 1}. */
    Features(int nodes) {
        table = new byte[Math.multiplyExact(nodes, BYTES)];
        for (int node = 0; node < nodes; node++) {
            for (int k = 0; k < WORDS; k++) {
                WORD.set(table, node * BYTES + k * Long.BYTES, word(node, k));
            }
        }
    }

    /** Copies a node's out. */
    void copy(int node, byte[] target, int at) {
        System.arraycopy(table, node * BYTES, target, at, BYTES);
    }

    static long word(int node, int k) {
        return mix(((long) node * WORDS + k + 1) * STEP);
    }

    /** The finalizer of SplitMix64: a bijection that spreads every bit. */
    static long mix(long z) {
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
