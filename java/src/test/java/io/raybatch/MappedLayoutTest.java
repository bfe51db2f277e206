package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class MappedLayoutTest {

    /** The crate's half of this is in {@code layout.rs}. */
    @Test
    void the_crate_has_the_same_numbers() throws IOException {
        Map<String, Integer> known = new LinkedHashMap<>();
        known.put("page", MappedRegion.PAGE);
        known.put("awaited", MappedStore.AWAITED);
        known.put("header.generation", MappedRegion.GENERATION);
        known.put("header.overflow", MappedRegion.OVERFLOW);
        known.put("header.inline", MappedRegion.INLINE);
        known.put("header.inline_pages", MappedRegion.INLINE_PAGES);
        known.put("header.stripes", MappedRegion.STRIPES);
        known.put("header.native_only", MappedRegion.NATIVE_ONLY);
        known.put("header.lease", MappedRegion.FIRST_LEASE);
        known.put("lease.bytes", MappedRegion.LEASE);
        known.put("lease.gate", MappedRegion.GATE);
        known.put("lease.cursor", MappedRegion.CURSOR);
        known.put("lease.end", MappedRegion.END);
        known.put("lease.made", MappedRegion.MADE);
        known.put("lease.bytes_made", MappedRegion.BYTES);
        known.put("lease.block", MappedRegion.BLOCK);
        known.put("lease.limit", MappedRegion.LIMIT);
        known.put("lease.entries", MappedRegion.ENTRIES);
        known.put("lease.first", MappedRegion.FIRST);
        known.put("entry.bytes", MappedRegion.ENTRY);
        known.put("entry.sealed", MappedRegion.SEALED);
        known.put("entry.has_metadata", MappedRegion.HAS_METADATA);
        known.put("entry.kind_shift", MappedRegion.KIND_SHIFT);
        known.put("entry.kind_mask", MappedRegion.KIND_MASK);
        known.put("large", MappedRegion.LARGE);

        Map<String, Integer> told = new LinkedHashMap<>();
        for (String line : Files.readAllLines(StoreTest.project().resolve("tests/data/layout.txt"))) {
            String[] row = line.split(" ");
            if (!line.startsWith("#")) {
                told.put(row[0], Integer.valueOf(row[1]));
            }
        }
        assertThat(known).isEqualTo(told);
    }
}
