package io.raybatch;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TargetNameTest {

    @ParameterizedTest
    @CsvSource({
        "Linux, amd64, false, linux-x86_64/libraybatch.so",
        "Linux, x86_64, false, linux-x86_64/libraybatch.so",
        "Linux, amd64, true, linux-x86_64-musl/libraybatch.so",
        "Linux, aarch64, false, linux-aarch64/libraybatch.so",
        "Linux, riscv64, false, linux-riscv64/libraybatch.so",
        "Mac OS X, arm64, false, macos-aarch64/libraybatch.dylib",
        "Mac OS X, x86_64, true, macos-x86_64/libraybatch.dylib",
        "Windows 11, amd64, false, windows-x86_64/raybatch.dll",
        "Free BSD, amd64, false, free-bsd-x86_64/libraybatch.so",
    })
    void a_machine_has_its_library(String os, String arch, boolean musl, String file) {
        assertThat(TargetName.of(os, arch, musl).resource()).isEqualTo("io/raybatch/native/" + file);
    }

    @Test
    void it_depends_on_no_language() {
        java.util.Locale before = java.util.Locale.getDefault();
        try {
            java.util.Locale.setDefault(java.util.Locale.forLanguageTag("tr"));
            assertThat(TargetName.of("LINUX", "AMD64", false)).hasToString("linux-x86_64");
        } finally {
            java.util.Locale.setDefault(before);
        }
    }
}
