package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ObjectIdTest {

    @Test
    void golden_vectors_are_read_and_written_as_rust_does() throws IOException {
        List<String> rows = Files.readAllLines(StoreTest.project().resolve("tests/data/ids.txt")).stream()
                .filter(row -> !row.startsWith("#") && !row.isBlank())
                .toList();
        assertThat(rows).hasSizeGreaterThan(10);
        for (String row : rows) {
            String[] field = row.split(" ");
            ObjectId id = new ObjectId(
                    Long.parseLong(field[0]), Long.parseUnsignedLong(field[1]), Integer.parseUnsignedInt(field[2]));
            assertThat(id).hasToString(field[3]);
            assertThat(ObjectId.parse(field[3])).isEqualTo(id);
            assertThat(ObjectId.of(id.toBytes())).isEqualTo(id);
        }
    }

    @Test
    void ids_order_as_their_bytes_do_unsigned() {
        Random random = new Random(20);
        List<ObjectId> ids = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            long batch = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(3) - 1;
            long task = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(3) - 1;
            ids.add(new ObjectId(batch, task, random.nextInt()));
        }
        for (ObjectId a : ids) {
            for (ObjectId b : ids) {
                int bytes = Integer.signum(Arrays.compareUnsigned(a.toBytes(), b.toBytes()));
                assertThat(Integer.signum(a.compareTo(b))).isEqualTo(bytes);
            }
        }
    }
}
