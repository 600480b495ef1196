//! The same generated responses to the probe and to `curl -f -0`: the verdicts
//! are equal, or a row of [`DIFFERENCES`] says why they are not.
//!
//! `DIFFERENTIAL_CASES` and `DIFFERENTIAL_SEED` choose other cases.

mod support;

use std::collections::BTreeMap;
use std::env;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use support::read_request;

const SEED: u64 = 20_261_122;
/// Enough for a developer's loop; tests/system/servers/differential asks for more.
const CASES: usize = 50;

/// Where the verdicts differ, and why ours stays. `tag` is what the generator
/// put into the response, `healthy` is our verdict; curl's is the other one.
struct Difference {
    tag: &'static str,
    healthy: bool,
    why: &'static str,
}

const fn healthy(tag: &'static str, why: &'static str) -> Difference {
    Difference { tag, healthy: true, why }
}

const fn unhealthy(tag: &'static str, why: &'static str) -> Difference {
    Difference { tag, healthy: false, why }
}

const NO_NUMBER: &str = "a length that is no number is unhealthy; curl reads the digits it begins with";
const ONE_SPACE: &str = "one space, three digits, and a space before a reason are what makes a status-line";

const DIFFERENCES: [Difference; 27] = [
    unhealthy(
        "cut within the header",
        "a header section that does not end is cut short; curl does not even see a 503",
    ),
    unhealthy("status 101", "an answer, but not from 200 to 399; curl fails from 400 on"),
    unhealthy("version in lower case", "HTTP is case-sensitive (RFC 9112, 2.3)"),
    unhealthy("version 2", "an HTTP/1.0 request has an HTTP/1.x answer"),
    unhealthy("version 2.0", "an HTTP/1.0 request has an HTTP/1.x answer"),
    healthy("version 1.2", "any minor version is understood as the highest known one (RFC 9110, 2.5)"),
    healthy("version 1.9", "any minor version is understood as the highest known one (RFC 9110, 2.5)"),
    unhealthy("two spaces", ONE_SPACE),
    unhealthy("no space before the reason", ONE_SPACE),
    unhealthy("tab before the reason", ONE_SPACE),
    unhealthy("two lengths", "lengths that differ are unhealthy, also where chunked coding overrules them"),
    unhealthy("length N, 1", "lengths that differ are unhealthy; curl reads the first"),
    unhealthy("length x", NO_NUMBER),
    unhealthy("length +N", NO_NUMBER),
    unhealthy("length N N", NO_NUMBER),
    unhealthy("length Nx", NO_NUMBER),
    unhealthy("length 0xN", NO_NUMBER),
    unhealthy("length of 23 digits", "no body is that long, so it was cut short; curl then reads to the end"),
    healthy("length folded", "a folded field is one line (RFC 9112, 5.2); curl sees an empty length"),
    healthy("space before a field", "white space before the first field is passed over (RFC 9112, 2.2)"),
    unhealthy(
        "cut before the last LF",
        "the end of the last chunk is CR and LF; curl is content with the CR",
    ),
    healthy(
        "coding gzip, chunked",
        "no content is decompressed, as none is asked for; curl cannot decode ours",
    ),
    healthy(
        "coding chunked, identity",
        "the last coding frames the body; not chunked: to the end (RFC 9112, 6.3)",
    ),
    healthy("coding chunked;q=1", "a coding that is not chunked: to the end of the stream (RFC 9112, 6.3)"),
    healthy("coding x-chunked", "a coding that is not chunked: to the end of the stream (RFC 9112, 6.3)"),
    healthy("chunk size of 17 digits", "leading zeros change no number (RFC 9112, 7.1)"),
    unhealthy("70 KB of fields", "the cap on header sections is 64 KiB"),
];

#[test]
fn the_verdict_is_curls_or_the_difference_has_a_reason() {
    let version = Command::new("curl").arg("--version").output();
    let Ok(version) = version else {
        // Past the test runner's capture, so that nobody takes it for a pass.
        let _ = writeln!(std::io::stderr(), "NOT RUN: tests/differential.rs because curl is missing");
        return;
    };
    let number = |name: &str| env::var(name).ok().and_then(|value| value.parse().ok());
    let seed = number("DIFFERENTIAL_SEED").unwrap_or(SEED);
    let cases = number("DIFFERENTIAL_CASES").map_or(CASES, |cases| cases as usize);
    let version = String::from_utf8_lossy(&version.stdout);
    let version = version.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
    let _ = writeln!(std::io::stderr(), "{cases} responses, DIFFERENTIAL_SEED={seed}, {version}");

    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let server = Server::start();
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= cases {
                        break;
                    }
                    let case = Arc::new(Case::generate(seed, index));
                    let (probe, curl) = server.verdicts(&case);
                    if (probe == Some(0)) != (curl == Some(0)) {
                        found.lock().expect("no panic").push((case, probe, curl));
                    }
                }
            });
        }
    });

    let mut counts = BTreeMap::new();
    let mut unexplained = Vec::new();
    for (case, probe, curl) in found.into_inner().expect("no panic") {
        let healthy = probe == Some(0);
        let row = DIFFERENCES.iter().find(|row| row.healthy == healthy && case.tags.contains(&row.tag));
        match row {
            Some(row) => *counts.entry(row.tag).or_insert(0) += 1,
            None => unexplained.push((case, probe, curl)),
        }
    }
    for row in &DIFFERENCES {
        let count = counts.get(row.tag).unwrap_or(&0);
        println!("{count:5} {}: {}; {}", row.tag, if row.healthy { "healthy" } else { "unhealthy" }, row.why);
    }
    for (case, probe, curl) in &unexplained {
        let text = case.bytes.escape_ascii().to_string();
        println!("probe {probe:?}, curl {curl:?}, {:?}\n  {:.400}", case.tags, text);
    }
    assert!(unexplained.is_empty(), "{} of {cases} differ without a reason", unexplained.len());
}

/// One generated response.
struct Case {
    bytes: Vec<u8>,
    tags: Vec<&'static str>,
    header_end: usize,
    length: Option<usize>,
    head: bool,
    /// Whether the server waits for the client to close.
    keeps_open: bool,
    cut: Cut,
}

#[derive(Clone, Copy)]
enum Cut {
    Whole,
    EveryByte,
    Pieces(u64),
}

struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

/// What is written, and the tag of what is odd about it; none for what is not.
type Odd = (&'static str, &'static str);

const VERSIONS: [Odd; 12] = [
    ("HTTP/1.2", "version 1.2"),
    ("HTTP/1.9", "version 1.9"),
    ("HTTP/2", "version 2"),
    ("HTTP/2.0", "version 2.0"),
    ("HTTP/3", "version 3"),
    ("HTTP/0.9", "version 0.9"),
    ("http/1.1", "version in lower case"),
    ("HTTP/1.", "version without minor"),
    ("HTTP/1.10", "version 1.10"),
    (" HTTP/1.1", "space before the version"),
    ("ICY", "ICY"),
    ("\r\nHTTP/1.1", "empty line before the version"),
];

const STATUSES: [Odd; 30] = [
    ("200", ""),
    ("201", ""),
    ("204", ""),
    ("206", ""),
    ("226", ""),
    ("299", ""),
    ("300", ""),
    ("301", ""),
    ("304", ""),
    ("307", ""),
    ("399", ""),
    ("400", ""),
    ("401", ""),
    ("404", ""),
    ("407", ""),
    ("416", ""),
    ("499", ""),
    ("500", ""),
    ("503", ""),
    ("599", ""),
    ("600", ""),
    ("999", ""),
    ("101", "status 101"),
    ("199", "status 199"),
    ("099", "status 099"),
    ("20", "status 20"),
    ("2000", "status 2000"),
    ("2x0", "status 2x0"),
    ("-20", "status -20"),
    ("+20", "status +20"),
];

const REASONS: [Odd; 8] = [
    (" OK", ""),
    ("", ""),
    (" ", ""),
    (" Very  Good\tIndeed: yes", ""),
    (" caf\u{e9}", ""),
    ("\tOK", "tab before the reason"),
    ("OK", "no space before the reason"),
    (" \0", "NUL in the reason"),
];

const FIELDS: [Odd; 14] = [
    ("Server: x", ""),
    ("X-Empty:", ""),
    ("Connection: close", ""),
    ("Connection: keep-alive", ""),
    ("Content-Type: text/plain; charset=utf-8", ""),
    ("Date : x", ""),
    ("Location: http://127.0.0.1:1/", ""),
    ("X: a\r\n folded", ""),
    ("X: a\r\n\tfolded\r\n  twice", ""),
    ("no colon", "field without colon"),
    ("X: \0", "NUL in a field"),
    (": no name", "field without name"),
    (" leading: space", "space before a field"),
    ("X: \r y", "CR in a field"),
];

const LENGTHS: [Odd; 14] = [
    ("x", "length x"),
    ("-1", "length -1"),
    ("", "length empty"),
    ("+N", "length +N"),
    ("N N", "length N N"),
    ("Nx", "length Nx"),
    ("N, N", "length N, N"),
    ("N, 1", "length N, 1"),
    ("N\r\nContent-Length: N", ""),
    ("N\r\nContent-Length: 1", "two lengths"),
    ("0000N", ""),
    ("99999999999999999999999", "length of 23 digits"),
    ("0xN", "length 0xN"),
    ("\r\n N", "length folded"),
];

const CODINGS: [Odd; 8] = [
    ("chunked", ""),
    ("chunked", ""),
    ("Chunked", ""),
    ("gzip, chunked", "coding gzip, chunked"),
    ("identity", "coding identity"),
    ("chunked, identity", "coding chunked, identity"),
    ("chunked;q=1", "coding chunked;q=1"),
    ("x-chunked", "coding x-chunked"),
];

const SIZES: [Odd; 14] = [
    ("N\r\n", ""),
    ("00N\r\n", ""),
    ("N;a=b\r\n", ""),
    ("N ; a=\"b c\"\r\n", ""),
    ("N\n", "bare LF after a chunk size"),
    ("N \r\n", ""),
    (" N\r\n", "space before a chunk size"),
    ("0xN\r\n", "chunk size 0xN"),
    ("-N\r\n", "chunk size -N"),
    ("\r\n", "chunk size empty"),
    ("Nz\r\n", "chunk size Nz"),
    ("ffffffffffffffff\r\n", "chunk size of 16 digits"),
    ("0000000000000000N\r\n", "chunk size of 17 digits"),
    ("7fffffffffffffff\r\n", "chunk size of 63 bits"),
];

impl Case {
    fn generate(seed: u64, index: usize) -> Case {
        let mut numbers = Numbers(seed ^ (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for _ in 0..9 {
            numbers.below(2);
        }
        let mut case = Case {
            bytes: Vec::new(),
            tags: Vec::new(),
            header_end: 0,
            length: None,
            head: numbers.one_in(20),
            keeps_open: false,
            cut: Cut::Whole,
        };
        // Mostly one oddity at a time, so that its row is the reason.
        let odd = if numbers.one_in(3) { usize::MAX } else { numbers.below(7) };
        if numbers.one_in(6) {
            for _ in 0..=numbers.below(2) {
                case.interim(&mut numbers);
            }
        }
        let complete = case.response(&mut numbers, odd);
        if odd == 6 || numbers.one_in(8) {
            let end = numbers.below(case.bytes.len() + 1);
            if end + 1 == case.bytes.len() {
                case.tags.push("cut before the last LF");
            }
            case.bytes.truncate(end);
            case.tags.push(if end < case.header_end {
                "cut within the header"
            } else {
                "cut within the body"
            });
        } else if numbers.one_in(12) {
            case.bytes.extend_from_slice(b"HTTP/1.1 500 Smuggled\r\n\r\n");
        } else {
            case.keeps_open = complete && case.tags.is_empty() && numbers.one_in(2);
        }
        if numbers.one_in(9) {
            case.bytes = String::from_utf8_lossy(&case.bytes).replace("\r\n", "\n").into_bytes();
            case.tags.push("bare LF");
        }
        case.cut = match numbers.below(4) {
            0 => Cut::EveryByte,
            1 => Cut::Pieces(numbers.0),
            _ => Cut::Whole,
        };
        case
    }

    fn push(&mut self, (text, tag): (&str, &'static str)) {
        self.bytes.extend(text.chars().map(|char| char as u8));
        if !tag.is_empty() {
            self.tags.push(tag);
        }
    }

    fn interim(&mut self, numbers: &mut Numbers) {
        self.push(numbers.of(&[
            ("HTTP/1.1 100 Continue\r\n\r\n", ""),
            ("HTTP/1.1 102 Processing\r\nX: y\r\n\r\n", ""),
            ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", ""),
            ("HTTP/1.0 100\r\n\r\n", ""),
            ("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", "interim answer with length"),
            ("HTTP/1.1 100 Continue\r\nTransfer-Encoding: chunked\r\n\r\n", "interim answer with coding"),
        ]));
    }

    /// Writes the final response; whether its end can be told from its bytes.
    fn response(&mut self, numbers: &mut Numbers, odd: usize) -> bool {
        let version = match odd {
            0 => numbers.of(&VERSIONS),
            _ => (numbers.of(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]), ""),
        };
        self.push(version);
        let space = if odd == 1 && numbers.one_in(4) {
            numbers.of(&[
                ("\t", "tab before the status"),
                ("  ", "two spaces"),
                ("", "no space before the status"),
            ])
        } else {
            (" ", "")
        };
        self.push(space);
        let good = if numbers.one_in(3) { 22 } else { 11 };
        let statuses = if odd == 1 { &STATUSES[..] } else { &STATUSES[..good] };
        let (status, tag) = numbers.of(statuses);
        self.push((status, tag));
        self.push(numbers.of(if odd == 2 { &REASONS[..] } else { &REASONS[..5] }));
        self.push(("\r\n", ""));
        for _ in 0..numbers.below(4) {
            let fields = if odd == 3 { &FIELDS[..] } else { &FIELDS[..9] };
            self.push(numbers.of(fields));
            self.push(("\r\n", ""));
        }
        if numbers.one_in(400) {
            self.push(("X: ", "70 KB of fields"));
            self.bytes.extend_from_slice(&[b'y'; 70_000]);
            self.push(("\r\n", ""));
        }
        let body = numbers.of(&["", "x", "hello", "hello, world", "{\"status\":\"UP\"}\r\n0\r\n\r\n"]);
        let bodiless = self.head || matches!(status, "204" | "304");
        if bodiless && numbers.one_in(2) {
            self.push(numbers.of(&[
                ("", ""),
                ("Content-Length: 5\r\n", ""),
                ("Transfer-Encoding: chunked\r\n", ""),
            ]));
            self.end_header();
            return true;
        }
        match numbers.below(5) {
            0 | 1 => {
                let complete = self.length(numbers, odd, body);
                self.end_header();
                self.push((body, ""));
                complete
            }
            2 | 3 => {
                if numbers.one_in(6) {
                    self.length(numbers, odd, body);
                }
                let coding = numbers.of(if odd == 5 { &CODINGS[..] } else { &CODINGS[..3] });
                self.push(("Transfer-Encoding: ", ""));
                self.push(coding);
                self.push(("\r\n", ""));
                if numbers.one_in(6) {
                    self.length(numbers, odd, body);
                }
                self.end_header();
                self.chunks(numbers, odd, body);
                true
            }
            _ => {
                self.end_header();
                self.push((body, ""));
                false
            }
        }
    }

    fn end_header(&mut self) {
        self.push(("\r\n", ""));
        self.header_end = self.bytes.len();
    }

    /// Writes a length; whether the body has as many bytes.
    fn length(&mut self, numbers: &mut Numbers, odd: usize, body: &str) -> bool {
        let (text, tag) = if odd == 4 { numbers.of(&LENGTHS) } else { ("N", "") };
        let length = match numbers.below(12) {
            0 => body.len() + 3,
            1 => body.len().saturating_sub(1),
            _ => body.len(),
        };
        let name = numbers.of(&["Content-Length: ", "content-length:", "CONTENT-LENGTH:\t"]);
        let text = format!("{name}{}\r\n", text.replace('N', &length.to_string()));
        self.bytes.extend_from_slice(text.as_bytes());
        if !tag.is_empty() {
            self.tags.push(tag);
        }
        if self.length.replace(length).is_some_and(|other| other != length) {
            self.tags.push("two lengths");
        }
        length <= body.len()
    }

    fn chunks(&mut self, numbers: &mut Numbers, odd: usize, body: &str) {
        let mut rest = body;
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(1 + numbers.below(rest.len()));
            rest = after;
            let (text, tag) = numbers.of(if odd == 5 { &SIZES[..] } else { &SIZES[..4] });
            let size = format!("{:x}", chunk.len());
            self.bytes.extend_from_slice(text.replace('N', &size).as_bytes());
            self.push((chunk, tag));
            let end = if odd == 5 && numbers.one_in(4) {
                numbers.of(&[
                    ("\n", "bare LF after a chunk"),
                    ("", "nothing after a chunk"),
                    ("\r\r\n", "two CR after a chunk"),
                ])
            } else {
                ("\r\n", "")
            };
            self.push(end);
        }
        let ends: &[Odd] = &[
            ("0\r\n\r\n", ""),
            ("000\r\n\r\n", ""),
            ("0\r\nT: x\r\n\r\n", ""),
            ("0;last\r\nT: x\r\nU: y\r\n\r\n", ""),
            ("0\r\nno colon\r\n\r\n", "trailer without colon"),
            ("0\n\n", "bare LF after the last chunk"),
            ("0\r\n", "no end after the last chunk"),
            ("0\r\nT: x\r\n", "no end after a trailer"),
            ("", "no last chunk"),
            ("0", "no last chunk"),
        ];
        self.push(numbers.of(if odd == 5 { ends } else { &ends[..4] }));
    }
}

/// Serves the case that is set, one connection after the other.
struct Server {
    port: u16,
    current: Arc<Mutex<Option<Arc<Case>>>>,
}

/// Longer than a verdict takes; a case that gets this far is unhealthy to both.
const TIMEOUT: &str = "3";

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let current = Arc::new(Mutex::new(None::<Arc<Case>>));
        let shared = Arc::clone(&current);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let case = shared.lock().expect("no panic").clone().expect("a case is set");
                case.serve(stream);
            }
        });
        Server { port, current }
    }

    /// The exit codes of the probe and of curl.
    fn verdicts(&self, case: &Arc<Case>) -> (Option<i32>, Option<i32>) {
        *self.current.lock().expect("no panic") = Some(Arc::clone(case));
        let target = format!("http://127.0.0.1:{}/", self.port);
        let mut probe = support::command();
        probe.args(["-q", "-t", TIMEOUT, &target]);
        let mut curl = Command::new("curl");
        curl.env_remove("http_proxy").args([
            "-q",
            "-f",
            "-0",
            "-s",
            "-o",
            "/dev/null",
            "--max-time",
            TIMEOUT,
            &target,
        ]);
        if case.head {
            probe.args(["-X", "HEAD"]);
            curl.arg("-I");
        }
        let code = |mut command: Command| {
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            quiet.status().expect("it runs").code()
        };
        (code(probe), code(curl))
    }
}

impl Case {
    fn serve(&self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(4)));
        read_request(&mut stream);
        let mut rest = &self.bytes[..];
        let mut numbers = Numbers(if let Cut::Pieces(seed) = self.cut { seed | 1 } else { 1 });
        while !rest.is_empty() {
            let length = match self.cut {
                Cut::Whole => rest.len(),
                Cut::EveryByte if rest.len() < 2000 => 1,
                _ => 1 + numbers.below(rest.len()),
            };
            let (piece, after) = rest.split_at(length);
            if stream.write_all(piece).is_err() {
                return;
            }
            rest = after;
        }
        if self.keeps_open {
            let _ = stream.read(&mut [0; 16]);
        }
    }
}
