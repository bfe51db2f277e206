package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {

    @ParameterizedTest
    @CsvSource({"0,0", "4096,4096", "64k,65536", "512M,536870912", "2g,2147483648", "1t,1099511627776", "3 MiB,3145728", "7kb,7168"})
    void sizes_are_powers_of_1024(String text, long bytes) {
        assertThat(ByteSize.parse("size", text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "m", "-1", "1.5g", "12x", "9999999999999999999", "99999999t", "0x10"})
    void anything_else_is_refused_by_name(String text) {
        assertThatThrownBy(() -> ByteSize.parse("storeSize", text))
                .isInstanceOf(InvalidArgumentException.class)
                .hasMessageContaining("storeSize")
                .hasMessageContaining(text);
    }

    @Test
    void the_largest_size_is_the_largest_long() {
        assertThat(ByteSize.parse("size", "8388607t")).isEqualTo(8388607L << 40);
    }
}
