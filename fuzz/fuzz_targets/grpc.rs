#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scratch_probe_fuzz::grpc::check(data));
