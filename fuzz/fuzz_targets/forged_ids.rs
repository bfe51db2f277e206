#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| raybatch_fuzz::forged_ids(data));
