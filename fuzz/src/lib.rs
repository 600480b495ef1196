//! What must hold for every input: one oracle a fuzz target. The fuzzer calls
//! them with what it invents, `tests/corpus.rs` with the committed corpus.

pub mod body;
pub mod dns;
pub mod expand;
pub mod grpc;
pub mod hpack;
pub mod options;
pub mod response;
pub mod strict;
pub mod target;
pub mod tls;

/// Takes an input, and panics if something does not hold for it.
pub type Oracle = fn(&[u8]);

/// Every target with the name of its folder in the corpus.
pub const TARGETS: [(&str, Oracle); 8] = [
    ("target", target::check),
    ("expand", expand::check),
    ("options", options::check),
    ("response", response::check),
    ("body", body::check),
    ("dns", dns::check),
    ("tls", tls::check),
    ("grpc", grpc::check),
];

/// Takes the first byte off; zero if there is none.
fn take(data: &mut &[u8]) -> u8 {
    let Some((&first, rest)) = data.split_first() else { return 0 };
    *data = rest;
    first
}

/// Printable ASCII, and not much of it: what a terminal and Docker can bear.
fn assert_printable(text: &[u8], max: usize) {
    let shown = String::from_utf8_lossy(text);
    assert!(text.iter().all(|byte| matches!(byte, b' '..=b'~')), "not printable: {shown:?}");
    assert!(text.len() <= max, "{} bytes: {shown}", text.len());
}

/// A stream of small numbers that is the same for the same seed (xorshift).
struct Numbers(u32);

impl Numbers {
    fn new(seed: u8) -> Numbers {
        Numbers(u32::from(seed) * 0x9e37 + 1)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit
    }
}
