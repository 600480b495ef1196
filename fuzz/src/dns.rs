//! What a name server answers, and the files resolv.conf and hosts.
//!
//! Input: which of them, then the name up to a NUL, then the rest.

use std::net::IpAddr;

use scratch_probe::net::dns::{A, AAAA, Answer, Conf, answer, hosts_address};

use super::take;

pub fn check(data: &[u8]) {
    let mut rest = data;
    let kind = take(&mut rest);
    let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    let rest = rest.strip_prefix(b"\0").unwrap_or(rest);
    match kind & 3 {
        0 => answers(name, kind, rest),
        1 => resolv_conf(name, rest),
        2 => hosts_file(name, rest),
        _ => {
            for question in asked(&Conf::default(), name, 1) {
                let _ = answer(rest, &question);
            }
        }
    }
}

fn asked(conf: &Conf, name: &[u8], id: u16) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    conf.questions(name, id, &mut |question| all.push(question));
    all
}

/// A message whose header and question are what the probe looks for, unless
/// `kind` says otherwise; the flags, the number of records and these are `rest`.
fn answers(name: &[u8], kind: u8, rest: &[u8]) {
    let id = u16::from(kind) << 8 | 7;
    let [a, aaaa] = &asked(&Conf::default(), name, id)[..] else {
        let bare = name.strip_suffix(b".").unwrap_or(name);
        let bad = |label: &[u8]| label.is_empty() || label.len() > 63;
        assert!(bare.len() > 253 || bare.split(|&byte| byte == b'.').any(bad), "a good name is refused");
        return;
    };
    assert!(a.ends_with(&[0, 0, A, 0, 1]) && aaaa.ends_with(&[0, 0, AAAA, 0, 1]));
    assert!(a[..2] != aaaa[..2], "the questions have the same identifier");
    let question = if kind & 4 == 0 { a } else { aaaa };
    assert!(question.len() <= 12 + name.len() + 2 + 4);
    let mut rest = rest;
    let [flags, high, low] = [(); 3].map(|()| take(&mut rest));
    let mut message = question.clone();
    message[2] = 0x81;
    message[3] = flags;
    message[6..8].copy_from_slice(&[high, low]);
    message.extend_from_slice(rest);

    let count = usize::from(u16::from_be_bytes([high, low]));
    let want = match flags & 15 {
        0 | 3 => Answer::Addresses(model(rest, count)),
        _ => Answer::Failure,
    };
    let fails = !matches!(want, Answer::Addresses(_));
    assert_eq!(answer(&message, question).as_ref(), Some(&want));
    let mut truncated = message.clone();
    truncated[2] |= 2;
    assert_eq!(answer(&truncated, question), Some(if fails { want } else { Answer::Truncated }));
    for (place, bit) in [(0, 1), (1, 1), (2, 0x80), (12, 1), (question.len() - 3, 29)] {
        let mut other = message.clone();
        other[place] ^= bit;
        assert_eq!(answer(&other, question), None, "byte {place} is of another exchange");
    }
    assert_eq!(answer(&message[..question.len() - 1], question), None);
}

/// The addresses of the whole ones of the first `count` records.
fn model(message: &[u8], count: usize) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    let mut at = 0;
    let byte = |at: usize| message.get(at).copied();
    'records: for _ in 0..count {
        while let Some(length) = byte(at) {
            at += 1;
            match length {
                0 => break,
                0xc0.. => {
                    at += 1;
                    break;
                }
                _ => at += usize::from(length),
            }
        }
        if at + 10 > message.len() {
            break 'records;
        }
        let start = at + 10;
        let end = start + usize::from(message[at + 8]) * 256 + usize::from(message[at + 9]);
        let Some(data) = message.get(start..end) else { break 'records };
        match (message[at], message[at + 1], data.len()) {
            (0, 1, 4) => addresses.push(<[u8; 4]>::try_from(data).expect("four").into()),
            (0, 28, 16) => addresses.push(<[u8; 16]>::try_from(data).expect("sixteen").into()),
            _ => {}
        }
        at = end;
    }
    addresses
}

fn resolv_conf(name: &[u8], text: &[u8]) {
    let mut conf = Conf::default();
    text.split(|&byte| byte == b'\n').for_each(|line| conf.read_line(line));
    assert!(conf.name_servers.len() <= 3);
    let servers = conf.servers();
    assert!(!servers.is_empty() && servers.iter().all(|server| server.port() == 53));
    let domains = conf.search.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).skip(1).count();
    assert!(domains == 0 || text.windows(conf.search.len()).any(|window| window == conf.search));
    let questions = asked(&conf, name, 0);
    assert!(questions.len().is_multiple_of(2) && questions.len() <= 2 * (domains + 1));
    // The name itself is the first candidate or the last one.
    if let [alone, _] = &asked(&Conf::default(), name, 0)[..] {
        let same = |other: Option<&Vec<u8>>| other.is_some_and(|other| other[2..] == alone[2..]);
        assert!(same(questions.first()) || same(questions.iter().nth_back(1)));
    }
}

/// Line by line with std's own text functions.
fn hosts_file(name: &[u8], text: &[u8]) {
    let addresses: Vec<_> =
        text.split(|&byte| byte == b'\n').filter_map(|line| hosts_address(line, name)).collect();
    let (Ok(text), Ok(name)) = (str::from_utf8(text), str::from_utf8(name)) else { return };
    let mut want: Vec<IpAddr> = Vec::new();
    for line in text.split('\n') {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let address: Option<IpAddr> = words.next().and_then(|word| word.parse().ok());
        if words.any(|word| word.eq_ignore_ascii_case(name)) {
            want.extend(address);
        }
    }
    assert_eq!(addresses, want);
}
