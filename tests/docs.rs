//! Keeps the pages and the code together: README.md, its translations, docs/ and the rest.

use std::fs;
use std::path::{Path, PathBuf};

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

/// A file of `src/` without its tests.
fn product(path: &Path) -> String {
    read(path).split("#[cfg(test)]").next().expect("a first part").to_string()
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

/// What `probe` says stands in the first column of tables with these heads.
const HEADS: [&str; 6] =
    ["Cause", "The check's last line", "The line ends with", "The line says", "Сообщение", "提示信息"];

/// The messages of `probe` that a page's tables explain.
fn messages(page: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut in_table = false;
    for (_, line) in prose(page) {
        let cell = line.strip_prefix('|').map(|row| row.split(" | ").next().expect("a first part").trim());
        in_table = cell.is_some_and(|cell| in_table || HEADS.contains(&cell));
        found.extend(cell.filter(|_| in_table).map(code_spans).unwrap_or_default());
    }
    // Docker's.
    found.retain(|message| !message.starts_with("exec: "));
    found
}

#[test]
fn every_message_that_a_page_explains_is_in_the_source() {
    let source: String = files(&root().join("src"), ".rs").iter().map(|path| product(path)).collect();
    // Quotations, numbers and names vary; the words between them do not.
    let is_known = |message: &str| {
        let words = message.split('"').step_by(2).collect::<Vec<_>>().join(" , ");
        let varies = |c: char| c.is_uppercase() || c.is_ascii_digit();
        let is_name = |word: &&str| word.starts_with(varies) || *word == "then";
        let words: Vec<_> = words.split(' ').map(|word| if is_name(&word) { "," } else { word }).collect();
        let words = words.join(" ");
        let mut parts = words.split(|c: char| !c.is_ascii_lowercase() && c != ' ').map(str::trim);
        parts.all(|part| source.contains(part))
    };
    let mut count = 0;
    let mut unknown = Vec::new();
    for path in pages() {
        let page = read(&path);
        let messages = messages(&page);
        count += messages.len();
        let messages = messages.iter().filter(|message| !is_known(message));
        unknown.extend(messages.map(|message| format!("{}: {message}", path.display())));
    }
    assert!(count > 100 && unknown.is_empty(), "{count} messages; not in src/: {unknown:#?}");
}

#[test]
fn every_option_has_its_line_in_help_and_reference() {
    let [cli, help, reference] =
        ["src/input/cli.rs", "src/input/help.txt", "docs/reference.md"].map(|name| read(&root().join(name)));
    let rows = cli.split("OPTIONS: [").nth(1).and_then(|rest| rest.split("];").next()).expect("OPTIONS");
    let rows: Vec<_> = rows.lines().skip(1).collect();
    assert!(rows.len() > 10, "{rows:?}");
    for row in rows {
        // (Effect::Timeout, b't', "--timeout", "PROBE_TIMEOUT"),
        let [start, name, _, variable, _] = row.split('"').collect::<Vec<_>>()[..] else { panic!("{row}") };
        let letter = start.split("b'").nth(1).and_then(|rest| rest.split('\'').next());
        let forms = letter.map_or(name.into(), |letter| format!("-{letter}, {name}"));
        assert!(
            help.lines().any(|line| line.starts_with("  ") && line.contains(&forms)),
            "no {forms} in help"
        );
        let forms = format!("`{}", forms.replace(", ", "`, `"));
        let mut rows = reference.lines().filter(|line| line.starts_with("| `-") && line.contains(&forms));
        assert!(rows.any(|row| row.contains(variable)), "no {forms} {variable} in docs/reference.md");
    }
}

#[test]
fn the_reference_shows_help_as_the_probe_prints_it() {
    let help = read(&root().join("src/input/help.txt"));
    let page = read(&root().join("docs/reference.md"));
    assert!(page.contains(&format!("```text\n{help}```\n")), "docs/reference.md lacks this:\n{help}");
}

#[test]
fn readme_is_short() {
    let page = read(&root().join("README.md"));
    assert!(page.lines().count() <= 200, "{} lines", page.lines().count());
}

/// The files of `src/` that the code of one names, as `crate::folder::file` or `crate::file`.
fn imports(file: &Path, all: &[String]) -> Vec<String> {
    let product = product(file).replace("::", "/");
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
