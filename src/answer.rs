//! What a server answered, as a line shows it: its start, without the secrets that were sent.

use crate::input::config::Config;
use crate::input::target::{Check, Target};
use crate::print::{SHOWN_MAX, push, push_escaped, push_number, push_quoted, quote};
use crate::text::{after, words};
use crate::wire::request::base64;
use crate::wire::response::NOT_HTTP;

/// The shortest secret. A shorter one may be a part of any word: to hide it there would give it away.
const SECRET_MIN: usize = 4;

/// What is known of an answer to a check, in words.
pub struct Detail<'a> {
    /// The words.
    pub words: Vec<u8>,
    /// The target of the check.
    pub target: &'a Target,
    /// The configuration of the check.
    pub config: &'a Config,
}

impl Detail<'_> {
    /// Appends words of our own.
    pub fn push(&mut self, words: impl AsRef<[u8]>) {
        push(&mut self.words, words);
    }

    /// Appends a status-code and its reason-phrase: `200 OK`.
    pub fn push_status(&mut self, status: u16, reason: &[u8]) {
        push_number(&mut self.words, status.into());
        if !reason.is_empty() {
            self.push(" ");
            self.push_shown(reason);
        }
    }

    /// Appends what came in place of a protocol's answer.
    pub fn push_foreign(&mut self, problem: &str, foreign: &[u8]) {
        self.push(problem);
        self.push(": ");
        match foreign {
            // A record of a TLS alert or handshake (RFC 8446, 5.1).
            [21 | 22, 3, ..] if problem == NOT_HTTP => self.push("TLS, try tls://host:port"),
            // A SETTINGS frame of the connection (RFC 9113, 3.4 and 6.5).
            [0, _, _, 4, 0, 0, 0, 0, 0, ..] if problem == NOT_HTTP => {
                self.push("HTTP/2, try grpc://host:port");
            }
            foreign => self.push_in_quotes(foreign),
        }
    }

    /// Appends what came in place of what was expected.
    pub fn push_got(&mut self, got: &[u8]) {
        self.push(", got ");
        self.push_in_quotes(got);
    }

    /// Appends the text that was expected, as it was written.
    pub fn push_expected(&mut self, text: &[u8]) {
        self.push(", expected ");
        push_quoted(&mut self.words, text);
    }

    /// Appends `bytes` in quotes: between `'` where the text holds `"`, so that JSON can be read.
    fn push_in_quotes(&mut self, bytes: &[u8]) {
        let start = self.words.len();
        self.push_shown(bytes);
        quote(&mut self.words, start);
    }

    /// Appends the start of what a server sent, escaped, with `***` for each secret in it, and for the
    /// beginning of one at its end. A secret that is shown in part begins within what is shown,
    /// so nothing else is searched.
    fn push_shown(&mut self, bytes: &[u8]) {
        let mut hidden = [false; SHOWN_MAX];
        let shown = &bytes[..bytes.len().min(SHOWN_MAX)];
        let mut hide = |secret: &[u8]| {
            for at in 0..shown.len() {
                let rest = &bytes[at..];
                let is_cut = rest.len() >= SECRET_MIN && secret.starts_with(rest);
                if is_cut || rest.starts_with(secret) {
                    hidden[at..].iter_mut().take(secret.len()).for_each(|hidden| *hidden = true);
                }
            }
        };
        each_secret(self.target, self.config, &mut hide);
        let mut was_hidden = false;
        for (byte, is_hidden) in shown.iter().zip(hidden) {
            match is_hidden {
                true if was_hidden => {}
                true => self.push("***"),
                false => push_escaped(&mut self.words, &[*byte], 1),
            }
            was_hidden = is_hidden;
        }
        if bytes.len() > SHOWN_MAX {
            self.push("...");
        }
    }
}

/// Hands over each text that no line may show: what variables and files hold, credentials, values of
/// header fields, lines of the data.
#[inline(never)]
fn each_secret(target: &Target, config: &Config, found: &mut dyn FnMut(&[u8])) {
    let user_info = match &target.check {
        Check::Http(http) => http.user_info.as_deref().unwrap_or_default(),
        _ => b"",
    };
    // User and password together are a secret, however short they are.
    if after(user_info, b':').is_some_and(|password| !password.is_empty()) {
        found(user_info);
    }
    let mut found = |text: &[u8]| {
        if text.len() >= SECRET_MIN {
            found(text);
        }
    };
    user_info.splitn(2, |&byte| byte == b':').for_each(&mut found);
    found(&base64(user_info));
    target.values.iter().for_each(|value| found(value));
    for texts in &[&config.headers[..], config.data.as_slice(), &config.expect] {
        texts.iter().for_each(|text| text.each_value(0..text.text.len(), &mut found));
    }
    for header in &config.headers {
        let value = after(&header.text, b':').unwrap_or_default().trim_ascii();
        found(value);
        words(value).last().map(&mut found);
    }
    if let Some(data) = &config.data {
        data.text.split(|byte| b"\r\n".contains(byte)).for_each(&mut found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errno::ENOENT;
    use crate::input::cli;
    use crate::input::config::Job;

    const SECRET: &str = "hunter22";

    /// The check of these arguments, where `${PW}` holds [`SECRET`] and `${PIN}` a short one.
    fn config(args: &[&str]) -> Config {
        let lookup = |name: &[u8]| match name {
            b"PW" => Ok(SECRET.into()),
            b"PIN" => Ok(b"123".to_vec()),
            b"PORT" => Ok(b"8090".to_vec()),
            _ => Err(ENOENT),
        };
        let mut args = args.iter().map(|arg| arg.as_bytes().to_vec());
        match cli::parse(&mut args, &lookup) {
            Ok(Job::Check(config)) => config,
            other => panic!("{other:?}"),
        }
    }

    fn shown(args: &[&str], answer: &[u8]) -> String {
        let config = config(args);
        let mut detail = Detail { words: Vec::new(), target: &config.targets[0], config: &config };
        detail.push_got(answer);
        String::from_utf8(detail.words).expect("ASCII")
    }

    #[test]
    fn every_secret_is_hidden_wherever_it_stands() {
        let url = "http://h/";
        for (args, answer, words) in [
            (
                &["http://h/?token=${PW}"][..],
                "GET /?token=hunter22 HTTP/1.0",
                r#""GET /?token=*** HTTP/1.0""#,
            ),
            (&["http://h/?token=${PW}"], "xhunter22hunter22y", r#""x***y""#),
            (&["http://h/?token=${PW}"], "hunter2 hunt", r#""hunter2 ***""#),
            (&["http://h/?token=${PW}"], "hunter2 hun", r#""hunter2 hun""#),
            (&["http://h/?pin=${PIN}"], "/?pin=123", r#""/?pin=123""#),
            (&["http://localhost:${PORT}/"], "port 8090", r#""port 8090""#),
            (&["http://admin:${PW}@h/"], r#"{"Basic YWRtaW46aHVudGVyMjI="}"#, r#"'{"Basic ***"}'"#),
            (&["http://admin:pass@h/"], "admin, pass, admin:pass", r#""***, ***, ***""#),
            (&["http://u:p@h/"], "u, p, u:p dTpw", r#""u, p, *** ***""#),
            (&["http://a@h/"], "media: a, YTo=", r#""media: a, ***""#),
            (&["-H", "Authorization: Bearer ${PW}", url], "hunter22", r#""***""#),
            (&["-H", "X-Key: Bearer abcdef", url], "abcdef, Bearer abcdef", r#""***, ***""#),
            (&["-H", "X: y", url], "y", r#""y""#),
            (
                &["-d", "AUTH ${PW}\r\nPING", "tcp://h:1"],
                "-ERR 'AUTH', with 'hunter22', PING",
                r#""-ERR 'AUTH', with '***', ***""#,
            ),
            (&["-d", "ruok", "tcp://h:1"], "ruok is not executed", r#""*** is not executed""#),
            (&["--expect", "${PW}", "--expect", "x", "tcp://h:1"], "hunter22", r#""***""#),
        ] {
            let args: Vec<_> = args.iter().map(|arg| arg.replace("\\r\\n", "\r\n")).collect();
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            assert_eq!(shown(&args, answer.as_bytes()), format!(", got {words}"), "{args:?}");
        }
    }

    #[test]
    fn a_secret_that_is_shown_in_part_is_hidden() {
        let before = "x".repeat(SHOWN_MAX - 3);
        let args = ["http://h/${PW}"];
        assert_eq!(
            shown(&args, format!("{before}{SECRET} and more").as_bytes()),
            format!(", got \"{before}***...\"")
        );
        assert_eq!(shown(&args, format!("{before}hunter23").as_bytes()), format!(", got \"{before}hun...\""));
    }

    #[test]
    fn what_came_instead_is_shown_from_its_start() {
        let foreign = |problem, bytes: &[u8]| {
            let config = config(&["http://h/"]);
            let mut detail = Detail { words: Vec::new(), target: &config.targets[0], config: &config };
            detail.push_foreign(problem, bytes);
            String::from_utf8(detail.words).expect("ASCII")
        };
        for (bytes, words) in [
            (&b"SSH-2.0-x\r\n"[..], r#"not an HTTP response: "SSH-2.0-x\r\n""#),
            (&[b'x'; 81], &format!("not an HTTP response: \"{}...\"", "x".repeat(80))),
            (b"\x15\x03\x01\0\x02\x02\x46", "not an HTTP response: TLS, try tls://host:port"),
            (b"\x16\x03", "not an HTTP response: TLS, try tls://host:port"),
            (b"\x16", r#"not an HTTP response: "\x16""#),
            (b"\0\0\x18\x04\0\0\0\0\0\0\x03", "not an HTTP response: HTTP/2, try grpc://host:port"),
            (b"\0\0\x18\x05\0\0\0\0\0", r#"not an HTTP response: "\x00\x00\x18\x05\x00\x00\x00\x00\x00""#),
        ] {
            assert_eq!(foreign(NOT_HTTP, bytes), words);
        }
        assert_eq!(foreign("not a TLS response", b"\x16\x03\x05"), r#"not a TLS response: "\x16\x03\x05""#);
    }
}
