//! Finds a text in a stream that arrives in pieces.

/// A search that keeps the end of the stream: at most twice the length of the text.
#[derive(Debug, Default)]
pub struct Search<'a> {
    text: &'a [u8],
    end: Vec<u8>,
    found: bool,
}

impl<'a> Search<'a> {
    /// A search for `text`; the empty text is found at once.
    pub fn new(text: &'a [u8]) -> Search<'a> {
        Search { text, end: Vec::new(), found: text.is_empty() }
    }

    /// Takes the next byte of the stream.
    pub fn feed(&mut self, byte: u8) {
        if self.found {
            return;
        }
        if self.end.len() == 2 * self.text.len() {
            self.end.drain(..=self.text.len());
        }
        self.end.push(byte);
        self.found = self.end.ends_with(self.text);
    }

    /// Whether the text has come by.
    pub fn found(&self) -> bool {
        self.found
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
