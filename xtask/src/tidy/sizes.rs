//! How long files and lines may be.

use std::ops::Range;

use super::functions::{FileEntry, RATCHET, Ratchet};
use crate::repo::{Finding, Repo, is_test_path};
use crate::rust_source;

/// Lines a file may have without its tests.
const FILE_LINES: usize = 500;
/// Characters in a line.
const COLUMNS: usize = 100;
/// Bytes in a file: one mebibyte.
const FILE_BYTES: u64 = 1 << 20;

/// Sources whose line length and trailing spaces are checked.
const CODE: [&str; 5] = [".rs", ".py", ".sh", ".css", ".ci/run"];
/// Texts whose trailing spaces are checked, beside the sources. An inline table of TOML cannot be
/// broken over lines.
const PROSE: [&str; 6] = [".md", ".toml", ".yaml", ".yml", ".svg", ".sql"];

/// Files, lines and line ends keep to the limits.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings: Vec<Finding> = repo
        .files
        .iter()
        .filter(|file| file.bytes > FILE_BYTES)
        .map(|file| {
            let text = format!("{} bytes, at most {FILE_BYTES}", file.bytes);
            Finding::new(&file.path, 0, text)
        })
        .collect();
    match Ratchet::read(repo) {
        Ok(ratchet) => {
            findings.extend(check_lines(repo, &ratchet.files));
            findings.extend(check_lengths(repo, &ratchet.files));
        }
        Err(finding) => findings.push(finding),
    }
    findings
}

fn check_lines(repo: &Repo, tables: &[FileEntry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.texts() {
        let is_code = CODE.iter().any(|ending| path.ends_with(ending));
        let is_prose = PROSE.iter().any(|ending| path.ends_with(ending));
        // What tests read may be broken on purpose.
        if !(is_code || is_prose) || (is_test_path(path) && !path.ends_with(".rs")) {
            continue;
        }
        // A table's row stays on its line.
        let is_table = tables.iter().any(|entry| entry.path == path);
        let tests = test_ranges(path, text);
        for (index, line) in text.split('\n').enumerate() {
            let columns = line.chars().count();
            let is_test = tests.iter().any(|range| range.contains(&(index + 1)));
            if is_code && columns > COLUMNS && !is_test && !is_table {
                let text = format!("{columns} columns, at most {COLUMNS}");
                findings.push(Finding::new(path, index + 1, text));
            }
            // Inside a literal a trailing space may be meant; there it is written `\x20`.
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(path, index + 1, "white space at the end of the line"));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            findings.push(Finding::new(path, 0, "no line break at the end of the file"));
        }
    }
    findings
}

/// Lines of test code. There, long literals and the macros of property tests are left alone, as
/// rustfmt leaves them.
fn test_ranges(path: &str, text: &str) -> Vec<Range<usize>> {
    if is_test_path(path) {
        vec![Range { start: 1, end: usize::MAX }]
    } else if path.ends_with(".rs") {
        rust_source::test_lines(&rust_source::mask(text))
    } else {
        Vec::new()
    }
}

fn check_lengths(repo: &Repo, tables: &[FileEntry]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.texts_ending(&[".rs"]) {
        if is_test_path(path) {
            continue;
        }
        let tests = rust_source::test_lines(&rust_source::mask(text));
        let lines = text.lines().count() - tests.iter().map(ExactSizeIterator::len).sum::<usize>();
        let listed = tables.iter().find(|entry| entry.path == path);
        let limit = listed.map_or(FILE_LINES, |entry| entry.lines);
        if lines > limit {
            let text = format!("{lines} lines without tests, at most {limit}: split the module");
            findings.push(Finding::new(path, 0, text));
        } else if listed.is_some() && lines <= FILE_LINES {
            findings.push(Finding::new(RATCHET, 0, format!("{path} needs no entry: remove it")));
        }
    }
    for entry in tables {
        if repo.text(&entry.path).is_none() || entry.reason.split_whitespace().count() < 3 {
            let text = format!("{}: a file that is there, with its reason in words", entry.path);
            findings.push(Finding::new(RATCHET, 0, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(files: &[(&str, &str)]) -> Vec<String> {
        check(&Repo::from_texts(files)).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn long_files_are_found_and_tests_are_free() {
        let code = "call();\n".repeat(501);
        assert!(findings(&[("a.rs", &code)])[0].starts_with("501 lines"));
        assert!(findings(&[("a/tests.rs", &code)]).is_empty());
        let inline = format!("#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert!(findings(&[("a.rs", &inline)]).is_empty());
        let entry = "[[file]]\npath = \"a.rs\"\nlines = 501\nreason = \"one row per word\"\n";
        assert!(findings(&[("a.rs", &code), (RATCHET, entry)]).is_empty());
        assert!(findings(&[("a.rs", "call();\n"), (RATCHET, entry)])[0].contains("no entry"));
        let wide = "x".repeat(101) + "\n" + &"call();\n".repeat(500);
        assert!(findings(&[("a.rs", &wide), (RATCHET, entry)]).is_empty());
    }

    #[test]
    fn long_lines_are_counted_in_characters() {
        let wide = "算".repeat(101) + "\n";
        assert_eq!(findings(&[("a.py", &wide)]), ["101 columns, at most 100"]);
        assert!(findings(&[("a.md", &wide)]).is_empty());
        assert!(findings(&[("tests/a.rs", &wide)]).is_empty());
        assert!(findings(&[("a.py", &("算".repeat(100) + "\n"))]).is_empty());
    }

    #[test]
    fn line_ends_and_big_files_are_found() {
        assert_eq!(findings(&[("a.md", "x \n")]), ["white space at the end of the line"]);
        assert_eq!(findings(&[("a.md", "x")]), ["no line break at the end of the file"]);
        assert!(findings(&[("a/fixtures/a.md", "x ")]).is_empty());
        let big = "x".repeat((1 << 20) + 1);
        assert!(findings(&[("data.csv", &big)])[0].contains("at most 1048576"));
    }
}
