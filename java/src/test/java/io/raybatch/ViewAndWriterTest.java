package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ViewAndWriterTest extends StoreTest {

    @Test
    void what_is_written_at_a_position_is_read_there_little_endian() {
        ObjectWriter w = ray.create(64);
        w.put(0, (byte) -5);
        w.putShort(1, (short) 0x0102);
        w.putInt(3, 0x01020304);
        w.putLong(7, 0x0102030405060708L);
        w.putFloat(15, 1.5f);
        w.putDouble(19, -2.25);
        w.put(27, new byte[] {1, 2, 3, 4}, 1, 2);
        w.put(29, ByteBuffer.wrap(new byte[] {9, 8}));
        w.put(31, ByteBuffer.allocateDirect(2).put(new byte[] {7, 6}).flip());
        byte[] back = new byte[4];
        w.copyTo(3, back, 0, 4);
        assertThat(back).containsExactly(4, 3, 2, 1);
        try (ObjectView v = ray.read(w.seal())) {
            assertThat(v.get(0)).isEqualTo((byte) -5);
            assertThat(v.getShort(1)).isEqualTo((short) 0x0102);
            assertThat(v.getInt(3)).isEqualTo(0x01020304);
            assertThat(v.getLong(7)).isEqualTo(0x0102030405060708L);
            assertThat(v.getFloat(15)).isEqualTo(1.5f);
            assertThat(v.getDouble(19)).isEqualTo(-2.25);
            byte[] out = new byte[6];
            v.copyTo(27, out, 0, 6);
            assertThat(out).containsExactly(2, 3, 9, 8, 7, 6);
            assertThat(v.asByteBuffer().order(ByteOrder.LITTLE_ENDIAN).getInt(3)).isEqualTo(0x01020304);
            assertThat(v.size()).isEqualTo(64);
            assertThat(v.kind()).isEqualTo(ObjectKind.BYTES);
        }
    }

    @Test
    void what_was_not_written_is_zero_though_the_memory_was_used_before() {
        for (int round = 0; round < 20; round++) {
            byte[] full = new byte[10_000];
            java.util.Arrays.fill(full, (byte) -1);
            try (Batch b = ray.startBatch()) {
                b.put(full);
            }
            ObjectRef<byte[]> normal = ray.put(full);
            ray.delete(normal);
            try (Batch b = ray.startBatch()) {
                ObjectWriter w = b.create(10_000);
                w.put(5_000, (byte) 7);
                byte[] got = w.seal().get();
                assertThat(got[5_000]).isEqualTo((byte) 7);
                got[5_000] = 0;
                assertThat(got).containsOnly(0);
            }
            ObjectRef<byte[]> empty = ray.create(10_000).seal();
            assertThat(empty.get()).containsOnly(0);
            ray.delete(empty);
        }
    }

    @Test
    void streams_and_channels_carry_a_whole_object() throws IOException {
        byte[] data = bytes(1, 100_000);
        ObjectWriter byStream = ray.create(data.length);
        try (OutputStream out = byStream.outputStream()) {
            out.write(data[0]);
            out.write(data, 1, 50_000);
            out.write(data, 50_001, data.length - 50_001);
            assertThatThrownBy(() -> out.write(1)).isInstanceOf(ObjectBoundsException.class);
        }
        ObjectWriter byChannel = ray.create(data.length);
        try (WritableByteChannel out = byChannel.channel()) {
            out.write(ByteBuffer.wrap(data, 0, 70_000));
            out.write(ByteBuffer.wrap(data, 70_000, 30_000).asReadOnlyBuffer());
        }
        for (ObjectWriter writer : List.of(byStream, byChannel)) {
            try (ObjectView view = ray.read(writer.seal());
                    InputStream in = view.inputStream();
                    ReadableByteChannel channel = view.channel()) {
                assertThat(in.readNBytes(10)).hasSize(10);
                assertThat(in.skip(90)).isEqualTo(90);
                assertThat(in.available()).isEqualTo(data.length - 100);
                in.reset();
                assertThat(in.readAllBytes()).isEqualTo(data);
                assertThat(in.read()).isEqualTo(-1);
                ByteBuffer heap = ByteBuffer.allocate(60_000);
                ByteBuffer direct = ByteBuffer.allocateDirect(60_000);
                assertThat(channel.read(heap)).isEqualTo(60_000);
                assertThat(channel.read(direct)).isEqualTo(40_000);
                assertThat(channel.read(direct)).isEqualTo(-1);
                assertThat(heap.flip()).isEqualTo(ByteBuffer.wrap(data, 0, 60_000));
                assertThat(direct.flip()).isEqualTo(ByteBuffer.wrap(data, 60_000, 40_000));
            }
        }
    }

    @Test
    void a_writer_that_is_closed_unsealed_aborts_and_one_that_is_released_leaves_it() {
        ObjectId id = ObjectId.random();
        try (ObjectWriter w = ray.create(id, 10)) {
            w.putInt(0, 1);
        }
        ObjectWriter released = ray.create(id, 10);
        released.putInt(0, 2);
        released.release();
        released.close();
        assertThatThrownBy(() -> released.putInt(0, 3)).isInstanceOf(RayClosedException.class);
        assertThat(ray.contains(id)).isFalse();
        ray.seal(id);
        try (ObjectView view = ray.read(id)) {
            assertThat(view.getInt(0)).isEqualTo(2);
        }
    }

    @Test
    void a_writable_buffer_writes_in_place() {
        ObjectWriter w = ray.create(1000);
        w.put(10, (byte) 1);
        ByteBuffer buffer = ray.internal().writableBuffer(w);
        assertThat(buffer.isDirect()).isTrue();
        assertThat(buffer.capacity()).isEqualTo(1000);
        assertThat(buffer.get(10)).isEqualTo((byte) 1);
        assertThat(buffer.get(11)).isZero();
        buffer.put(500, (byte) 9);
        assertThat(w.seal().get()[500]).isEqualTo((byte) 9);
    }

    @Test
    void a_buffer_holds_its_memory_until_it_and_its_slices_are_unreachable() throws InterruptedException {
        List<ByteBuffer> slices = new ArrayList<>();
        try (Batch b = ray.startBatch()) {
            for (int i = 0; i < 8; i++) {
                try (ObjectView view = ray.read(b.put(bytes(i, 1 << 20)))) {
                    slices.add(view.asByteBuffer().slice(100, 1000).duplicate());
                }
            }
        }
        System.gc();
        for (int round = 0; round < 30; round++) {
            try (Batch b = ray.startBatch()) {
                for (int i = 0; i < 20; i++) {
                    b.put(bytes(100 + i, 1 << 20));
                }
            }
        }
        for (int i = 0; i < 8; i++) {
            assertThat(slices.get(i)).isEqualTo(ByteBuffer.wrap(bytes(i, 1 << 20), 100, 1000));
        }
        assertThat(ray.stats().draining()).isPositive();
        slices.clear();
        long until = System.nanoTime() + SOON.toNanos();
        while (ray.stats().draining() > 0 && System.nanoTime() < until) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(ray.stats().draining()).isZero();
    }

    @Test
    void views_and_writers_that_nobody_closed_are_given_back_when_unreachable() throws InterruptedException {
        ObjectRef<byte[]> ref = ray.put(bytes(1, 1000));
        ObjectId id = ObjectId.random();
        forget(ref, id);
        ray.delete(ref);
        long until = System.nanoTime() + SOON.toNanos();
        while (!ray.list().isEmpty() && System.nanoTime() < until) {
            System.gc();
            Thread.sleep(10);
        }
        assertThat(ray.list()).isEmpty();
    }

    private void forget(ObjectRef<byte[]> ref, ObjectId id) {
        assertThat(ray.read(ref).size()).isEqualTo(1000);
        assertThat(ray.create(id, 10).size()).isEqualTo(10);
    }
}
