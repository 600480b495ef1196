//! Keeps the pages and the code together: README.md, its translations, docs/ and the rest.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::*;

/// Messages that are not ours. A page may leave out a part, as `…`.
const OF_OTHERS: &[&str] = &[
    r#"exec: "/bin/sh": stat /bin/sh: no such file or directory"#,
    r#"exec: "/probe": stat /probe: no such file or directory"#,
    r#"exec: "/probe http://…": stat /probe http://…: no such file or directory"#,
    r#"exec: "probe": executable file not found in $PATH"#,
    "exec /probe: no such file or directory",
    "exec /probe: exec format error",
    "Health check exceeded timeout (10s)",
    "/tools/probe: permission denied",
    "invalid reference format: repository name must be lowercase",
    r#"failed to parse platform : """#,
    "BuildKit is enabled but the buildx component is missing or broken",
    "COPY failed: file not found in build context or excluded by .dockerignore",
];

/// The first column of a table with such a head is messages.
const HEADS: &[&str] = &[
    "Cause",
    "Docker says",
    "The check's last line",
    "The line ends with",
    "The line says",
    "Сообщение",
    "提示信息",
];

/// A message may also stand anywhere else; then it begins so.
const BEGINNINGS: &[&str] = &[
    "healthy: ",
    "unhealthy: ",
    "probe: ",
    "resolve: ",
    "connect: ",
    "send: ",
    "receive: ",
    "not an ",
    "not a ",
    "not checked: ",
    "sent SIG",
    "exec: ",
    "installed: ",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files below `folder` whose names end so, in order.
fn files(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, end)),
            false if path.to_string_lossy().ends_with(end) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

/// All pages: those of the root folder, and docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> =
        fs::read_dir(root()).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.extend(files(&root().join("docs"), ".md"));
    assert!(pages.len() > 10, "{pages:?}");
    pages
}

/// A page's lines with their numbers, from 1, without those of fenced blocks.
fn prose(page: &str) -> Vec<(usize, &str)> {
    let mut fenced = false;
    let outside = page.lines().enumerate().filter(|(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    outside.map(|(index, line)| (index + 1, line)).collect()
}

/// A line's code spans. A span has one back-quote on either side.
fn code_spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// A line without its code spans.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn no_link_is_dead() {
    let mut dead = Vec::new();
    let mut count = 0;
    for path in pages() {
        let page = read(&path);
        for (number, line) in prose(&page) {
            for link in without_code(line).split("](").skip(1) {
                let link = link.split(')').next().expect("a first part");
                if link.starts_with("https://") {
                    continue;
                }
                count += 1;
                let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
                let target = match file {
                    "" => path.clone(),
                    file => path.parent().expect("a folder").join(file),
                };
                let found = match fs::read_to_string(&target) {
                    Err(_) => false,
                    Ok(_) if fragment.is_empty() => true,
                    Ok(text) => prose(&text).iter().any(|(_, line)| {
                        line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == fragment
                    }),
                };
                if !found {
                    dead.push(format!("{}:{number}: {link}", path.display()));
                }
            }
        }
    }
    assert!(count > 50 && dead.is_empty(), "{count} links; dead: {dead:#?}");
}

/// The string literals of `src/`, tests and comments left out.
fn literals() -> Vec<String> {
    let mut all = Vec::new();
    for path in files(&root().join("src"), ".rs") {
        let text = read(&path);
        let product = text.split("#[cfg(test)]").next().expect("a first part");
        let code = product.lines().filter(|line| !line.trim_start().starts_with("//"));
        // A literal that goes on in the next line does so at its first character.
        let code: Vec<_> = code.map(str::trim_start).collect();
        let code = code.join("\n").replace("\\\n", "").replace("b'\"'", "").replace("\\\"", "\u{1}");
        let literals = code
            .split('"')
            .skip(1)
            .step_by(2)
            .map(|literal| literal.trim_end_matches("\\n").replace('\u{1}', "\""));
        all.extend(literals.flat_map(words_of_table));
    }
    // A single letter would make any word.
    all.retain(|literal| literal.len() > 1 || literal.starts_with(|c: char| !c.is_alphanumeric()));
    all
}

/// A literal; or the words of one that is a table, with a `;` or a byte such as `\x0f` after each.
fn words_of_table(literal: String) -> Vec<String> {
    let mut parts = literal.split("\\x");
    let first = parts.next().unwrap_or_default().to_string();
    let rest = parts.map(|part| part.get(2..).unwrap_or_default().to_string());
    let mut words: Vec<_> = [first].into_iter().chain(rest).filter(|part| !part.is_empty()).collect();
    words.extend(literal.split(';').filter(|word| word.len() > 1).map(String::from));
    words
}

/// The lengths of what may stand at the beginning of `text` and is no literal: a number with its unit, a
/// quotation, a path; at the very beginning, a server's status.
fn variables(text: &str, at_start: bool) -> Vec<usize> {
    let end = |found: Option<usize>| found.unwrap_or(text.len());
    let mut lengths = Vec::new();
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        lengths.push(end(text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-'))));
        if at_start && text.as_bytes().get(3) == Some(&b' ') {
            lengths.extend([end(text.find(',')), text.find(" in ").unwrap_or(0)]);
        }
    }
    if let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        lengths.extend(text[1..].find(quote).map(|at| at + 2));
    }
    if text.starts_with('/') {
        lengths.push(end(text.find([':', ',', ' '])));
    }
    lengths
}

/// Whether a message is made of the source's literals and of what varies.
fn is_ours(message: &str, literals: &[String]) -> bool {
    // A page may leave out the end.
    let (whole, is_cut) = match message.strip_suffix('…') {
        Some(start) => (start.trim_end(), true),
        None => (message, false),
    };
    // A line's target.
    let target = whole.split_once("healthy: ").filter(|(start, _)| matches!(*start, "" | "un"));
    let text = target.map_or(whole, |(_, rest)| rest.split_once(": ").map_or("", |(_, rest)| rest));
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for at in 0..text.len() {
        if !reached[at] || !text.is_char_boundary(at) {
            continue;
        }
        let rest = &text[at..];
        for length in variables(rest, at == 0) {
            reached[at + length] = true;
        }
        for literal in literals {
            if rest.starts_with(literal.as_str()) {
                reached[at + literal.len()] = true;
            } else if is_cut && literal.starts_with(rest) {
                return true;
            }
        }
    }
    reached[text.len()]
}

/// Whether a message is one of others, but for what it leaves out.
fn is_of_others(message: &str) -> bool {
    OF_OTHERS.iter().any(|whole| {
        let mut rest = *whole;
        message == *whole
            || message.split('…').all(|part| match rest.find(part.trim()) {
                Some(at) => {
                    rest = &rest[at..];
                    true
                }
                None => false,
            })
    })
}

/// The messages that a page quotes: in the first column of their tables, in code that begins as they do, and as lines of output.
fn messages(page: &str) -> Vec<&str> {
    let mut found: Vec<_> = page
        .lines()
        .filter(|line| line.starts_with("healthy: ") || line.starts_with("unhealthy: "))
        .collect();
    let mut in_table = false;
    for (_, line) in prose(page) {
        let cell = line.strip_prefix('|').map(|row| row.split(" | ").next().expect("a first part").trim());
        in_table = cell.is_some_and(|cell| in_table || HEADS.contains(&cell));
        found.extend(cell.filter(|_| in_table).map(code_spans).unwrap_or_default());
        found.extend(
            code_spans(line).iter().filter(|span| BEGINNINGS.iter().any(|start| span.starts_with(start))),
        );
    }
    found
}

#[test]
fn every_message_that_a_page_quotes_is_in_the_source() {
    let literals = literals();
    let is_known = |message: &str| is_of_others(message) || is_ours(message, &literals);
    let mut count = 0;
    let mut unknown = Vec::new();
    for path in pages() {
        let page = read(&path);
        let messages = messages(&page);
        count += messages.len();
        let messages = messages.iter().filter(|message| !is_known(message));
        unknown.extend(messages.map(|message| format!("{}: {message}", path.display())));
    }
    unknown.dedup();
    assert!(count > 100 && unknown.is_empty(), "{count} messages; not in src/: {unknown:#?}");
}

#[test]
fn the_reference_shows_help_as_the_probe_prints_it() {
    let help = probe(&["--help"]).stdout;
    let page = read(&root().join("docs/reference.md"));
    assert!(page.contains(&format!("```text\n{help}```\n")), "docs/reference.md lacks this:\n{help}");
}

#[test]
fn readme_is_short() {
    let page = read(&root().join("README.md"));
    assert!(page.lines().count() <= 200, "{} lines", page.lines().count());
}

/// A page's sentences: of paragraphs, list items and cells of tables.
fn sentences(page: &str) -> Vec<String> {
    let mut units = vec![String::new()];
    for (_, line) in prose(page) {
        let line = line.trim();
        match line {
            "" => units.push(String::new()),
            _ if line.starts_with(['#', '<']) => units.push(String::new()),
            _ if line.starts_with('|') => units.extend(line.split(" | ").map(String::from)),
            _ => {
                if line.starts_with("- ") {
                    units.push(String::new());
                }
                let unit = units.last_mut().expect("one at least");
                unit.extend([" ", line]);
            }
        }
    }
    let text = units.join(". ").replace("**", "").replace("! ", ". ").replace("? ", ". ");
    text.split(". ").map(String::from).collect()
}

#[test]
fn no_sentence_of_readme_has_more_than_30_words() {
    let page = read(&root().join("README.md"));
    let count = |sentence: &String| {
        sentence.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count()
    };
    let long: Vec<_> = sentences(&page).into_iter().filter(|sentence| count(sentence) > 30).collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// The files of `src/` that the code of one names, as `crate::folder::file` or `crate::file`.
fn imports(file: &Path, all: &[String]) -> Vec<String> {
    let text = read(file);
    let product = text.split("#[cfg(test)]").next().expect("a first part").replace("::", "/");
    let paths = product.split("crate/").skip(1);
    let of_path = |path: &str| {
        all.iter().find(|name| path.starts_with(name.strip_suffix(".rs").unwrap_or("-"))).cloned()
    };
    paths.filter_map(of_path).collect()
}

#[test]
fn every_import_runs_down_the_map() {
    let page = read(&root().join("docs/design.md"));
    let rows = prose(&page).into_iter().filter(|(_, line)| line.starts_with("| `"));
    let cells = rows.flat_map(|(_, line)| code_spans(line.split(" | ").next().expect("a first part")));
    let map: Vec<String> = cells.filter(|name| name.ends_with(".rs")).map(String::from).collect();
    let src = root().join("src");
    let mut tree = files(&src, ".rs");
    tree.retain(|path| !path.ends_with("lib.rs"));
    assert_eq!(map.len(), tree.len(), "docs/design.md has other files than src/: {map:#?}");
    for path in tree {
        let name = path.strip_prefix(&src).expect("below src/").to_string_lossy().into_owned();
        let place = |name: &str| map.iter().position(|known| known == name);
        let at = place(&name).unwrap_or_else(|| panic!("docs/design.md lacks {name}"));
        for import in imports(&path, &map) {
            assert!(
                place(&import).is_some_and(|below| below > at),
                "{name} imports {import}, which is above it"
            );
        }
    }
}
