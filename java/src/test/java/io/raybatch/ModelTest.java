package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Random sequences of operations, compared with a plain map after each. A failure names the seed and the step. */
class ModelTest extends StoreTest {

    private static final int STEPS = 1500;

    /** What should be there: id → contents. */
    private final Map<ObjectId, byte[]> contents = new HashMap<>();

    /** id → the batch that should own it; 0 for normal mode */
    private final Map<ObjectId, Long> owners = new HashMap<>();

    /** Everything that ever was there. */
    private final List<ObjectRef<byte[]>> everything = new ArrayList<>();

    private final Map<Long, Batch> open = new HashMap<>();
    private final Map<Long, Long> parents = new HashMap<>();
    private final List<ObjectView> views = new ArrayList<>();
    private Random random;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void random_operations_do_what_a_map_does(long seed) {
        random = new Random(seed);
        int step = 0;
        try {
            for (; step < STEPS; step++) {
                operate();
                if (step % 50 == 0) {
                    compareAll();
                }
            }
            while (!open.isEmpty()) {
                close(any(new ArrayList<>(open.values())));
            }
            compareAll();
            views.forEach(ObjectView::close);
            assertThat(ray.stats().live()).isEqualTo(contents.values().stream().mapToLong(b -> b.length).sum());
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("seed " + seed + ", step " + step, e);
        }
    }

    private void operate() {
        switch (random.nextInt(14)) {
            case 0 -> start();
            case 1, 2, 3, 4 -> put();
            case 5, 6 -> write();
            case 7 -> delete();
            case 8 -> keep();
            case 9 -> transfer();
            case 10 -> look();
            case 11 -> closeOne();
            default -> compareOne();
        }
    }

    private void start() {
        if (open.size() >= 12) {
            return;
        }
        Batch parent = open.isEmpty() || random.nextInt(3) == 0 ? null : any(new ArrayList<>(open.values()));
        BatchOptions.Builder options = BatchOptions.builder();
        if (parent != null) {
            options.parent(parent);
        }
        ray.setCurrentBatch(0);
        Batch batch = ray.startBatch(options.build());
        open.put(batch.id(), batch);
        parents.put(batch.id(), parent == null ? 0 : parent.id());
    }

    private byte[] someBytes() {
        int size = switch (random.nextInt(10)) {
            case 0 -> 0;
            case 1 -> 4096 + random.nextInt(3) - 1;
            case 2 -> random.nextInt(200_000);
            default -> random.nextInt(500);
        };
        byte[] bytes = new byte[size];
        random.nextBytes(bytes);
        return bytes;
    }

    /** A batch, or null for normal mode. */
    private Batch somewhere() {
        return open.isEmpty() || random.nextInt(4) == 0 ? null : any(new ArrayList<>(open.values()));
    }

    private void put() {
        Batch batch = somewhere();
        ray.setCurrentBatch(0);
        byte[] bytes = someBytes();
        added(batch == null ? ray.put(bytes) : batch.put(bytes), batch, bytes);
    }

    private void added(ObjectRef<byte[]> ref, Batch batch, byte[] bytes) {
        contents.put(ref.id(), bytes);
        owners.put(ref.id(), batch == null ? 0 : batch.id());
        everything.add(ref);
    }

    private void write() {
        Batch batch = somewhere();
        ray.setCurrentBatch(0);
        byte[] bytes = someBytes();
        ObjectWriter writer = batch == null ? ray.create(bytes.length) : batch.create(bytes.length);
        for (int at = 0; at < bytes.length; ) {
            int n = Math.min(bytes.length - at, 1 + random.nextInt(50_000));
            writer.put(at, bytes, at, n);
            at += n;
        }
        assertThat(ray.contains(writer.id())).isFalse();
        if (random.nextInt(5) == 0) {
            writer.abort();
            assertThat(ray.contains(writer.id())).isFalse();
        } else {
            added(writer.seal(), batch, bytes);
        }
    }

    private void delete() {
        if (everything.isEmpty()) {
            return;
        }
        ObjectRef<byte[]> ref = any(everything);
        ray.delete(ref);
        contents.remove(ref.id());
        owners.remove(ref.id());
    }

    private void keep() {
        ObjectRef<byte[]> ref = anyInABatch();
        if (ref == null) {
            return;
        }
        Batch owner = open.get(owners.get(ref.id()));
        owner.keep(ref);
        long parent = parents.get(owner.id());
        owners.put(ref.id(), parent == 0 ? ROOT : parent);
    }

    /** Kept to the end of the client. */
    private static final long ROOT = Long.MIN_VALUE;

    private void transfer() {
        ObjectRef<byte[]> ref = anyInABatch();
        if (ref == null) {
            return;
        }
        Batch to = any(new ArrayList<>(open.values()));
        ray.transferOwnership(ref, to.id());
        owners.put(ref.id(), to.id());
    }

    private ObjectRef<byte[]> anyInABatch() {
        List<ObjectRef<byte[]>> owned =
                everything.stream().filter(ref -> open.containsKey(owners.get(ref.id()))).toList();
        return owned.isEmpty() ? null : any(owned);
    }

    /** A view holds what it sees, whatever happens later. */
    private void look() {
        if (views.size() > 10) {
            views.remove(random.nextInt(views.size())).close();
        }
        List<ObjectRef<byte[]>> there = everything.stream().filter(ref -> contents.containsKey(ref.id())).toList();
        if (!there.isEmpty()) {
            ObjectRef<byte[]> ref = any(there);
            ObjectView view = ray.read(ref);
            assertThat(view.toByteArray()).isEqualTo(contents.get(ref.id()));
            views.add(view);
        }
    }

    private void closeOne() {
        if (!open.isEmpty()) {
            close(any(new ArrayList<>(open.values())));
        }
    }

    private void close(Batch batch) {
        Set<Long> gone = new HashSet<>(Set.of(batch.id()));
        while (gone.addAll(parents.entrySet().stream()
                .filter(e -> gone.contains(e.getValue()))
                .map(Map.Entry::getKey)
                .toList())) {
            // down the tree
        }
        batch.close();
        gone.forEach(open::remove);
        owners.entrySet().removeIf(e -> {
            if (gone.contains(e.getValue())) {
                contents.remove(e.getKey());
                return true;
            }
            return false;
        });
    }

    private void compareOne() {
        if (!everything.isEmpty()) {
            compare(any(everything));
        }
    }

    private void compare(ObjectRef<byte[]> ref) {
        byte[] expected = contents.get(ref.id());
        if (expected == null && views.stream().anyMatch(view -> view.id().equals(ref.id()))) {
            // deleted, and there until its last reader has gone
            return;
        }
        assertThat(ray.contains(ref)).isEqualTo(expected != null);
        byte[] got;
        try {
            got = ray.get(ref, Duration.ZERO);
        } catch (ObjectCollectedException | ObjectLostException | ObjectNotFoundException e) {
            got = null;
        }
        assertThat(Arrays.equals(got, expected)).as("contents of %s", ref).isTrue();
    }

    private void compareAll() {
        everything.forEach(this::compare);
        long lingering = views.stream().map(ObjectView::id).filter(id -> !contents.containsKey(id)).distinct().count();
        for (Batch batch : open.values()) {
            long objects = owners.values().stream().filter(owner -> owner == batch.id()).count();
            assertThat(batch.status().objects())
                    .as("objects of %s, deleted ones that a reader holds included", batch)
                    .isBetween(objects, objects + lingering);
        }
        ray.internal().audit();
    }

    private <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }
}
