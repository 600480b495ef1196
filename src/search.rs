//! Finds a text in a stream that arrives in pieces.

/// The Knuth-Morris-Pratt search: it remembers how much of the text the stream
/// has just ended with, so nothing of the stream is kept, and no stream makes
/// it look at a byte more than twice on average.
#[derive(Debug, Default)]
pub struct Search<'a> {
    text: &'a [u8],
    /// `fallback[n]`: how long the longest proper suffix of `text[..=n]` is
    /// that is also a prefix of the text. An argument has 128 KiB at most.
    fallback: Vec<u32>,
    matched: usize,
}

impl<'a> Search<'a> {
    /// A search for `text`; the empty text is found at once.
    pub fn new(text: &'a [u8]) -> Search<'a> {
        let mut search = Search { text, fallback: Vec::with_capacity(text.len()), matched: 0 };
        for (index, &byte) in text.iter().enumerate() {
            // The text is run through the search for itself, one byte behind.
            if index > 0 {
                search.matched = search.step(byte);
            }
            search.fallback.push(search.matched as u32);
        }
        search.matched = 0;
        search
    }

    /// Takes the next byte of the stream.
    pub fn feed(&mut self, byte: u8) {
        if !self.found() {
            self.matched = self.step(byte);
        }
    }

    /// Whether the text has come by.
    pub fn found(&self) -> bool {
        self.matched == self.text.len()
    }

    /// How much of the text is matched once `byte` has come.
    fn step(&self, byte: u8) -> usize {
        let mut matched = self.matched;
        loop {
            if self.text[matched] == byte {
                return matched + 1;
            }
            if matched == 0 {
                return 0;
            }
            matched = self.fallback[matched - 1] as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, pieces: &[&str]) -> bool {
        let mut search = Search::new(text.as_bytes());
        pieces.iter().flat_map(|piece| piece.bytes()).for_each(|byte| search.feed(byte));
        search.found()
    }

    #[test]
    fn equals_the_naive_search_for_every_short_text_and_stream() {
        let words = |length: u32| {
            (0..3usize.pow(length)).map(move |mut number| {
                let mut word = String::new();
                for _ in 0..length {
                    word.push(['a', 'b', 'c'][number % 3]);
                    number /= 3;
                }
                word
            })
        };
        for text in (0..5).flat_map(words) {
            for stream in words(7) {
                assert_eq!(found(&text, &[&stream]), stream.contains(&text), "{text} in {stream}");
            }
        }
    }

    #[test]
    fn a_text_cut_at_every_place_is_found() {
        let stream = "aabaabaaab";
        for cut in 0..=stream.len() {
            assert!(found("aabaaab", &[&stream[..cut], &stream[cut..]]), "cut at {cut}");
        }
    }

    #[test]
    fn found_stays_found() {
        assert!(found("pong", &["pong", "x", ""]));
        assert!(found("", &[]));
        assert!(!found("pong", &["pon", "", "xpon"]));
    }
}
