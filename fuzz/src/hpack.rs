//! A decoder of fields (RFC 7541) that knows none of the product's code: it has all of the static table
//! and of Huffman's code, and no dynamic table.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Appendix A: names, and after a space values.
const STATIC: &str = "\
    :authority|:method GET|:method POST|:path /|:path /index.html|:scheme http|:scheme https|\
    :status 200|:status 204|:status 206|:status 304|:status 400|:status 404|:status 500|\
    accept-charset|accept-encoding gzip, deflate|accept-language|accept-ranges|accept|\
    access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|\
    content-encoding|content-language|content-length|content-location|content-range|content-type|\
    cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|if-none-match|if-range|\
    if-unmodified-since|last-modified|link|location|max-forwards|proxy-authenticate|\
    proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|\
    strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate";

/// Appendix B: how many bits each byte has, and the end of the string. Shorter codes come first, codes of the
/// same length in the order of the bytes.
const LENGTHS: [u32; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6,
    6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7,
    8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7,
    15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24,
    23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23,
    23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26,
    26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20,
    21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27,
    27, 27, 26, 30,
];
const END: usize = 256;

/// The bytes of the codes, by the codes' lengths and bits.
static CODES: LazyLock<HashMap<(u32, u32), usize>> = LazyLock::new(|| {
    let mut symbols: Vec<usize> = (0..=END).collect();
    symbols.sort_by_key(|&symbol| LENGTHS[symbol]);
    let (mut codes, mut code, mut length) = (HashMap::new(), 0, 0);
    for symbol in symbols {
        code <<= LENGTHS[symbol] - length;
        length = LENGTHS[symbol];
        codes.insert((length, code), symbol);
        code += 1;
    }
    codes
});

/// A string.
#[derive(Debug)]
pub struct Text {
    /// As it was sent: how many bytes, and whether in Huffman's code.
    pub sent: usize,
    pub is_coded: bool,
    /// `None` if the code is broken.
    pub text: Option<Vec<u8>>,
}

impl Text {
    fn plain(text: &[u8]) -> Text {
        Text { sent: text.len(), is_coded: false, text: Some(text.to_vec()) }
    }

    pub fn is(&self, text: &str) -> bool {
        self.text.as_deref() == Some(text.as_bytes())
    }
}

/// The fields of a block, each a name and a value; `None` if they cannot be told apart, or one is of the
/// dynamic table.
pub fn decode(block: &[u8]) -> Option<Vec<[Text; 2]>> {
    let mut bytes = Bytes(block);
    let mut fields = Vec::new();
    while let Some(&first) = bytes.0.first() {
        // The field's index, and whether its value follows.
        let (index, is_literal) = match first {
            0x80.. => (bytes.integer(7)?, false),
            0x40.. => (bytes.integer(6)?, true),
            0x20.. => match bytes.integer(5)? {
                ..=4096 if fields.is_empty() => continue,
                _ => return None,
            },
            _ => (bytes.integer(4)?, true),
        };
        let (name, value) = match index {
            0 if is_literal => (bytes.string()?, ""),
            0 => return None,
            _ => {
                let entry = STATIC.split('|').nth(usize::try_from(index - 1).ok()?)?;
                let (name, value) = entry.split_once(' ').unwrap_or((entry, ""));
                (Text::plain(name.as_bytes()), value)
            }
        };
        let value = if is_literal { bytes.string()? } else { Text::plain(value.as_bytes()) };
        fields.push([name, value]);
    }
    Some(fields)
}

fn huffman(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut text, mut length, mut code) = (Vec::new(), 0, 0);
    for bit in bytes.iter().flat_map(|byte| (0..8).rev().map(move |at| u32::from(byte >> at & 1))) {
        length += 1;
        code = code << 1 | bit;
        if let Some(&symbol) = CODES.get(&(length, code)) {
            text.push(u8::try_from(symbol).ok()?);
            (length, code) = (0, 0);
        } else if length == 30 {
            return None;
        }
    }
    (length < 8 && code == (1 << length) - 1).then_some(text)
}

/// Bytes that are taken from the front.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let taken = self.0.get(..count)?;
        self.0 = &self.0[count..];
        Some(taken)
    }

    /// A number of ten bytes at most, of which 64 bits count.
    pub fn varint(&mut self) -> Option<u64> {
        let size = 1 + self.0.iter().take(10).position(|&byte| byte < 128)?;
        let number = |number: u128, byte: &u8| number * 128 + u128::from(byte % 128);
        Some(self.take(size)?.iter().rev().fold(0, number) as u64)
    }

    /// An integer whose first byte has so many bits of it.
    pub fn integer(&mut self, bits: u32) -> Option<u64> {
        let most = (1 << bits) - 1;
        let start = u64::from(self.take(1)?[0]) & most;
        if start < most { Some(start) } else { self.varint()?.checked_add(most) }
    }

    pub fn string(&mut self) -> Option<Text> {
        let is_coded = *self.0.first()? >= 128;
        let length = usize::try_from(self.integer(7)?).ok()?;
        let sent = self.take(length)?;
        let text = if is_coded { huffman(sent) } else { Some(sent.to_vec()) };
        Some(Text { sent: sent.len(), is_coded, text })
    }
}
