//! Replays the fuzzer's seed corpus through its oracles, without a fuzzer.

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::fs;
use std::path::Path;

#[test]
fn every_file_of_the_corpus_is_as_its_oracle_says() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, oracle) in fuzz::TARGETS {
        let folder = fs::read_dir(corpus.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut count = 0;
        for file in folder {
            let path = file.expect("an entry").path();
            // Printed only when the oracle panics.
            println!("{}", path.display());
            oracle(&fs::read(&path).expect("a file"));
            count += 1;
        }
        assert!(count >= 12, "{name}: {count} files");
    }
}
