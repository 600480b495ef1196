//! No secret is printed, whatever a server makes of it: random letters stand in every place that a target and
//! options have for one, servers give back random parts of what they got in every place of an answer, and the
//! letters are looked for in all that is printed. What is looked for is what was put in, and what the server saw
//! of it; no rule of the product's is repeated here.
//!
//! SECRETS_CASES sets the number of cases.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::{env, fs, process, thread};

use scratch_probe::errno::ENOENT;
use scratch_probe::input::cli;
use scratch_probe::input::config::Job;
use scratch_probe::run::run;

/// A stream of numbers that is the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }

    /// None of these is in an escape such as `\n` or `\x1b`.
    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b"ghijklmopqsuvwyzGHIJKLMNOPQRSUVWYZ"[self.below(34)])).collect()
    }
}

/// Options and a target over the Unix socket `@`, with a secret: `%` by a variable, `&` by a file, `#` as it is.
const CHECKS: [&[&str]; 22] = [
    &["--unix-socket", "@", "http://h/?token=%"],
    &["--unix-socket", "@", "http://h/a/&/b?c"],
    &["--unix-socket", "@", "http://h/%"],
    &["--unix-socket", "@", "http://admin:%@h/"],
    &["--unix-socket", "@", "http://%:x@h/"],
    &["--unix-socket", "@", "http://u:#@h/"],
    &["--unix-socket", "@", "http://#:pw@h/"],
    &["--unix-socket", "@", "http://&@h/"],
    &["--unix-socket", "@", "-H", "X-Key: %", "http://h/"],
    &["--unix-socket", "@", "-H", "X-Key: #", "http://h/"],
    &["--unix-socket", "@", "-H", "Authorization: Bearer #", "http://h/"],
    &["--unix-socket", "@", "-H", "X-Key: # and more", "http://h/"],
    &["--unix-socket", "@", "-H", "Authorization: Bearer x&y", "http://h/"],
    &["--unix-socket", "@", "-d", "{\"key\": \"%\"}", "http://h/"],
    &["--unix-socket", "@", "-d", "a\n#\nb", "http://h/"],
    &["--unix-socket", "@", "-d", "&", "--http1.1", "http://h/"],
    &["--unix-socket", "@", "--expect", "%", "-d", "%", "http://h/"],
    &["--unix-socket", "@", "grpc://h/%"],
    &["--unix-socket", "@", "grpc://h/a.&.b"],
    &["-d", "AUTH %\r\nPING\r\n", "unix:@"],
    &["-d", "#\n", "unix:@"],
    &["-d", "&", "--expect", "&", "unix:@"],
];

/// The start of an answer, up to what is given back, and its end.
const ANSWERS: [(&str, &str); 14] = [
    ("", ""),
    ("-ERR unknown command, with args beginning with: '", "'\r\n"),
    ("HTTP/1.0 400 Bad request syntax (", ")\r\n\r\n"),
    ("HTTP/1.1 400 ", ""),
    ("HTTP/1.0 200 OK\r\n\r\n", ""),
    ("HTTP/1.0 200 OK\r\n\r\n{\"headers\":{\"X\":\"", "\"}}"),
    ("HTTP/1.0 404 Not Found\r\n\r\nCannot GET ", "\n"),
    (
        "HTTP/1.0 500 x\r\n\r\n",
        " and more than that, which nobody wants to read in full, since it is so very, very long",
    ),
    ("HTTP/1.0 503 Down\r\nContent-Length: 900\r\n\r\n", ""),
    ("HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n", ""),
    ("HTTP/1.1 103 x\r\n\r\nnot http ", ""),
    ("HTTP/1.0 401 ", "\r\n\r\n"),
    ("\x15\x03", ""),
    ("SSH-2.0-", "\r\n"),
];

/// What a server is to do with the next request.
struct Plan {
    answer: usize,
    /// Letters before what is given back: what is shown may end anywhere in it.
    padding: usize,
    /// What is given back: from so many bytes before the secret to so many after its start; or from any byte to any other.
    part: Result<[usize; 2], [usize; 2]>,
    secret: Vec<u8>,
}

/// What it did: what it got, credentials decoded, and whether anything followed what it gave back.
struct Deed {
    request: Vec<u8>,
    is_at_the_end: bool,
}

fn serve(path: &PathBuf, plans: Receiver<Plan>, deeds: Sender<Deed>) {
    let listener = UnixListener::bind(path).expect("a socket");
    thread::spawn(move || {
        for plan in plans {
            let (mut stream, _) = listener.accept().expect("a connection");
            let request = received(&mut stream);
            let (start, end) = ANSWERS[plan.answer];
            let find = || request.windows(plan.secret.len()).position(|window| window == plan.secret);
            let at = match (plan.part, find()) {
                (Ok([before, after]), Some(at)) => [at.saturating_sub(before), request.len().min(at + after)],
                (Ok(any) | Err(any), _) => {
                    let [one, other] = any.map(|at| at % (request.len() + 1));
                    [one.min(other), one.max(other)]
                }
            };
            let padding = "x".repeat(plan.padding);
            let _ = stream.write_all(
                &[start.as_bytes(), padding.as_bytes(), &request[at[0]..at[1]], end.as_bytes()].concat(),
            );
            let _ = deeds.send(Deed { request, is_at_the_end: end.is_empty() });
        }
    });
}

/// What is sent at once, which is all of these requests.
fn received(stream: &mut UnixStream) -> Vec<u8> {
    let mut piece = vec![0; 64 * 1024];
    let count = stream.read(&mut piece).expect("a request");
    piece.truncate(count);
    if let Some(basic) = header_value(&piece, b"Authorization: Basic ") {
        let credentials = decoded(basic);
        piece.extend_from_slice(&credentials);
    }
    piece
}

fn header_value<'a>(request: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    request.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(start)?.strip_suffix(b"\r"))
}

/// RFC 4648, 4.
fn decoded(base64: &[u8]) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let values: Vec<u8> =
        base64.iter().filter_map(|&byte| Some(digits.find(char::from(byte))? as u8)).collect();
    let bits: String = values.iter().map(|value| format!("{value:06b}")).collect();
    bits.as_bytes()
        .chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |number, bit| number << 1 | (bit - b'0')))
        .collect()
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn no_secret_is_printed_wherever_a_server_puts_it() {
    let cases = env::var("SECRETS_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000);
    let path = env::temp_dir().join(format!("probe-secrets-{}", process::id()));
    let ((plan, plans), (deed, deeds)) = (channel(), channel());
    serve(&path, plans, deed);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut hidden = 0;
    for case in 0..cases {
        let length = 4 + random.below(12);
        let secret = random.letters(length);
        let fill = |arg: &&str| {
            let socket = path.to_str().expect("UTF-8");
            arg.replace('%', "${SECRET}").replace('&', "${/run/secret}").replace('#', &secret).replace(
                '@',
                match arg {
                    &"@" | &"unix:@" => socket,
                    _ => "@",
                },
            )
        };
        let mut args: Vec<Vec<u8>> =
            CHECKS[random.below(CHECKS.len())].iter().map(|arg| fill(arg).into_bytes()).collect();
        // Nothing contains this, so an answer is shown.
        if !args.iter().any(|arg| arg.starts_with(b"grpc:")) {
            args.extend([b"--expect".to_vec(), b"no such text".to_vec()]);
        }
        let lookup = |name: &[u8]| match name {
            b"SECRET" => Ok(secret.clone().into_bytes()),
            b"/run/secret" => Ok(format!("{secret}\n").into_bytes()),
            _ => Err(ENOENT),
        };
        let shown: Vec<_> = args.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect();
        let Ok(Job::Check(config)) = cli::parse(&mut args.into_iter(), &lookup) else { panic!("{shown:?}") };
        let answer = random.below(ANSWERS.len());
        let padding = if random.below(2) == 0 { 0 } else { random.below(90) };
        let part = match random.below(3) {
            0 => Err([random.below(4096), random.below(4096)]),
            _ => Ok([random.below(12), random.below(40)]),
        };
        plan.send(Plan { answer, padding, part, secret: secret.clone().into_bytes() }).expect("a server");
        let mut printed = Vec::new();
        run(&config, &mut |_, lines| printed.extend(lines));
        let Deed { request, is_at_the_end } = deeds.recv().expect("a deed");
        let said = String::from_utf8_lossy(&printed);
        // The secret, and what it was sent in, as the server saw it.
        let basic = header_value(&request, b"Authorization: Basic ");
        let whole = header_value(&request, b"X-Key: ");
        for told in [Some(secret.as_bytes()), basic, whole].into_iter().flatten() {
            let is_public = shown.iter().any(|arg| arg.contains(" and more")) && told == secret.as_bytes();
            assert!(is_public || !has(&printed, told), "case {case}, {secret}: {shown:?}: {said}");
            // Where the answer ends in the middle of it.
            let is_cut = is_at_the_end && has(&printed, &told[..4]);
            assert!(is_public || !is_cut, "case {case}, the start of {secret}: {shown:?}: {said}");
        }
        hidden += usize::from(has(&printed, b"***"));
    }
    fs::remove_file(path).expect("removed");
    assert!(hidden > cases / 5, "{hidden} of {cases} hide anything");
}
