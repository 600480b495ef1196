//! A parser of requests that knows RFC 9112 and none of the product's code,
//! and forgives nothing.

/// One request, whole.
pub struct Request<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub fields: Vec<(&'a [u8], &'a [u8])>,
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The values of all fields of this name.
    pub fn values(&self, name: &str) -> Vec<&'a [u8]> {
        let same = |field: &&(&[u8], &[u8])| field.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(same).map(|field| field.1).collect()
    }
}

/// Reads `bytes` as exactly one request; says what is wrong otherwise.
pub fn request(bytes: &[u8]) -> Result<Request<'_>, &'static str> {
    let (line, mut rest) = line(bytes)?;
    let mut words = line.splitn(3, |&byte| byte == b' ');
    let mut word = || words.next().ok_or("a request-line has three words");
    let (method, target, version) = (word()?, word()?, word()?);
    if !token(method) {
        return Err("the method is no token");
    }
    if !target.starts_with(b"/") || target.iter().any(|&byte| byte <= b' ' || byte == 0x7f) {
        return Err("the request-target is no origin-form");
    }
    if version != b"HTTP/1.0" {
        return Err("the version is not HTTP/1.0");
    }
    let mut fields = Vec::new();
    loop {
        let (field, after) = self::line(rest)?;
        rest = after;
        if field.is_empty() {
            break;
        }
        let colon = field.iter().position(|&byte| byte == b':').ok_or("a field has no colon")?;
        let (name, value) = (&field[..colon], &field[colon + 1..]);
        if !token(name) {
            return Err("a field's name is no token");
        }
        // White space around it is optional (RFC 9112, 5).
        let value = value.trim_ascii();
        if value.is_empty() {
            return Err("a field's value is empty");
        }
        if value.iter().any(|&byte| byte < b' ' || byte == 0x7f) {
            return Err("a control character in a field's value");
        }
        fields.push((name, value));
    }
    Ok(Request { method, target, fields, body: rest })
}

/// Up to CRLF; a bare CR or LF is an error.
fn line(bytes: &[u8]) -> Result<(&[u8], &[u8]), &'static str> {
    let end = bytes.iter().position(|byte| b"\r\n".contains(byte)).ok_or("a line does not end")?;
    let rest = bytes[end..].strip_prefix(b"\r\n").ok_or("a bare CR or LF")?;
    Ok((&bytes[..end], rest))
}

fn token(text: &[u8]) -> bool {
    let separator = |byte: &u8| b"\"(),/:;<=>?@[\\]{}".contains(byte);
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_graphic() && !separator(byte))
}
