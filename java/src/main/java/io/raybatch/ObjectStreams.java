package io.raybatch;

import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Objects;

/** Objects as the streams and channels of {@code java.io} and {@code java.nio}. Each for one thread at a time. */
final class ObjectStreams {

    private ObjectStreams() {}

    static final class Input extends InputStream {

        private final ObjectView view;
        private long position;
        private long mark;

        Input(ObjectView view) {
            this.view = view;
        }

        @Override
        public int read() {
            return position == view.size() ? -1 : view.get(position++) & 0xff;
        }

        @Override
        public int read(byte[] target, int offset, int length) {
            Objects.checkFromIndexSize(offset, length, target.length);
            if (length == 0) {
                return 0;
            }
            int n = (int) Math.min(length, view.size() - position);
            if (n == 0) {
                return -1;
            }
            view.copyTo(position, target, offset, n);
            position += n;
            return n;
        }

        @Override
        public long skip(long n) {
            long skipped = Math.max(0, Math.min(n, view.size() - position));
            position += skipped;
            return skipped;
        }

        @Override
        public int available() {
            return (int) Math.min(Integer.MAX_VALUE, view.size() - position);
        }

        @Override
        public boolean markSupported() {
            return true;
        }

        @Override
        public void mark(int limit) {
            mark = position;
        }

        @Override
        public void reset() {
            position = mark;
        }
    }

    /** More than the object takes is an {@link ObjectBoundsException}. */
    static final class Output extends OutputStream {

        private final ObjectWriter writer;
        private long position;

        Output(ObjectWriter writer) {
            this.writer = writer;
        }

        @Override
        public void write(int b) {
            writer.put(position, (byte) b);
            position++;
        }

        @Override
        public void write(byte[] source, int offset, int length) {
            Objects.checkFromIndexSize(offset, length, source.length);
            writer.put(position, source, offset, length);
            position += length;
        }
    }

    static final class Source implements ReadableByteChannel {

        private final ObjectView view;
        private long position;
        private boolean open = true;

        Source(ObjectView view) {
            this.view = view;
        }

        @Override
        public int read(ByteBuffer target) throws ClosedChannelException {
            if (!open) {
                throw new ClosedChannelException();
            }
            if (!target.hasRemaining()) {
                return 0;
            }
            int n = (int) Math.min(target.remaining(), view.size() - position);
            if (n == 0) {
                return -1;
            }
            ByteBuffer part = target.slice(target.position(), n);
            view.copyTo(position, part);
            target.position(target.position() + n);
            position += n;
            return n;
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void close() {
            open = false;
        }
    }

    /** More than the object takes is an {@link ObjectBoundsException}. */
    static final class Target implements WritableByteChannel {

        private final ObjectWriter writer;
        private long position;
        private boolean open = true;

        Target(ObjectWriter writer) {
            this.writer = writer;
        }

        @Override
        public int write(ByteBuffer source) throws ClosedChannelException {
            if (!open) {
                throw new ClosedChannelException();
            }
            int n = source.remaining();
            writer.put(position, source);
            position += n;
            return n;
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void close() {
            open = false;
        }
    }
}
