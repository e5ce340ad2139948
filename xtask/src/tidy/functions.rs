//! Function sizes, and the ratchet that holds today's exceptions.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde::Deserialize;

use crate::repo::{Finding, Repo, is_test_path};
use crate::rust_source;

/// Where the exceptions are listed.
pub const RATCHET: &str = "xtask/ratchet.toml";

/// Lines a function may have, from `fn` to its closing brace.
pub const FUNCTION_LINES: usize = 70;

/// The exceptions of today.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratchet {
    /// Functions longer than [`FUNCTION_LINES`].
    #[serde(default, rename = "function")]
    pub functions: Vec<FunctionEntry>,
    /// Files longer than the limit of `sizes`.
    #[serde(default, rename = "file")]
    pub files: Vec<FileEntry>,
}

/// One long function.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionEntry {
    /// Path from the root.
    pub path: String,
    /// The function's name.
    pub name: String,
    /// How long it is.
    pub lines: usize,
}

/// One long file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path from the root.
    pub path: String,
    /// How long it may be, without tests.
    pub lines: usize,
    /// Why it is a table rather than too much code.
    pub reason: String,
}

impl Ratchet {
    /// Reads the list; a missing list is empty.
    ///
    /// # Errors
    /// The list is not what this type says.
    pub fn read(repo: &Repo) -> Result<Ratchet, Finding> {
        toml::from_str(repo.text(RATCHET).unwrap_or_default())
            .map_err(|error| Finding::new(RATCHET, 0, error.to_string()))
    }
}

/// No function is longer than the limit unless listed, and no entry is out of date.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let ratchet = match Ratchet::read(repo) {
        Ok(ratchet) => ratchet,
        Err(finding) => return vec![finding],
    };
    let listed: BTreeMap<(&str, &str), usize> = ratchet
        .functions
        .iter()
        .map(|entry| ((entry.path.as_str(), entry.name.as_str()), entry.lines))
        .collect();
    let mut findings = Vec::new();
    let long = long_functions(repo);
    for ((path, name), (line, lines)) in &long {
        let text = match listed.get(&(path.as_str(), name.as_str())) {
            Some(held) if held == lines => continue,
            Some(held) if held > lines => format!(
                "`{name}` shrank from {held} to {lines} lines: run `cargo xtask tidy --shrink`"
            ),
            Some(held) => format!("`{name}` grew from {held} to {lines} lines: split it"),
            None => format!("`{name}` has {lines} lines, at most {FUNCTION_LINES}: split it"),
        };
        findings.push(Finding::new(path, *line, text));
    }
    for entry in &ratchet.functions {
        if !long.contains_key(&(entry.path.clone(), entry.name.clone())) {
            let text = format!(
                "{}: `{}` is no longer long: run `cargo xtask tidy --shrink`",
                entry.path, entry.name
            );
            findings.push(Finding::new(RATCHET, 0, text));
        }
    }
    findings
}

/// Path and name to line and length; of functions with one name in one file, the longest.
fn long_functions(repo: &Repo) -> BTreeMap<(String, String), (usize, usize)> {
    let mut long = BTreeMap::new();
    for (path, text) in repo.texts_ending(&[".rs"]) {
        if is_test_path(path) {
            continue;
        }
        let masked = rust_source::mask(text);
        let tests = rust_source::test_lines(&masked);
        for function in rust_source::functions(&masked) {
            let is_test = tests.iter().any(|range| range.contains(&function.line));
            if function.lines <= FUNCTION_LINES || is_test {
                continue;
            }
            let seen = long.entry((path.to_owned(), function.name)).or_insert((0, 0));
            if function.lines > seen.1 {
                *seen = (function.line, function.lines);
            }
        }
    }
    long
}

/// Rewrites the list with what is left of it. Never adds an entry and never raises one.
///
/// # Errors
/// The list cannot be read or written.
pub fn shrink(repo: &Repo) -> anyhow::Result<ExitCode> {
    let old = repo.text(RATCHET).unwrap_or_default();
    let ratchet = Ratchet::read(repo).map_err(|finding| anyhow::anyhow!("{finding}"))?;
    let text = shrunk(old, &ratchet, &long_functions(repo));
    std::fs::write(repo.root.join(RATCHET), text)?;
    println!("{RATCHET}: {} functions before", ratchet.functions.len());
    Ok(ExitCode::SUCCESS)
}

fn shrunk(
    old: &str,
    ratchet: &Ratchet,
    long: &BTreeMap<(String, String), (usize, usize)>,
) -> String {
    let comment: Vec<&str> = old.lines().take_while(|line| line.starts_with('#')).collect();
    let mut text = comment.join("\n") + "\n";
    for entry in &ratchet.functions {
        if let Some((_, lines)) = long.get(&(entry.path.clone(), entry.name.clone())) {
            let lines = entry.lines.min(*lines);
            let (path, name) = (&entry.path, &entry.name);
            text += &format!("\n[[function]]\npath = {path:?}\nname = {name:?}\nlines = {lines}\n");
        }
    }
    for entry in &ratchet.files {
        let (path, lines, reason) = (&entry.path, entry.lines, &entry.reason);
        text += &format!("\n[[file]]\npath = {path:?}\nlines = {lines}\nreason = {reason:?}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(body_lines: usize, ratchet: &str) -> Vec<String> {
        let source = format!("fn long() {{\n{}}}\n", "    call();\n".repeat(body_lines));
        let repo = Repo::from_texts(&[("crates/a/src/lib.rs", &source), (RATCHET, ratchet)]);
        check(&repo).into_iter().map(|finding| finding.text).collect()
    }

    const LISTED: &str = "[[function]]\npath = \"crates/a/src/lib.rs\"\nname = \"long\"\n";

    #[test]
    fn seventy_lines_pass_and_seventy_one_do_not() {
        assert!(findings(68, "").is_empty());
        assert_eq!(findings(69, ""), ["`long` has 71 lines, at most 70: split it"]);
    }

    #[test]
    fn the_ratchet_holds_the_exact_length_and_only_shrinks() {
        assert!(findings(78, &format!("{LISTED}lines = 80\n")).is_empty());
        assert!(findings(79, &format!("{LISTED}lines = 80\n"))[0].contains("grew from 80 to 81"));
        assert!(findings(77, &format!("{LISTED}lines = 80\n"))[0].contains("shrank"));
        assert!(findings(10, &format!("{LISTED}lines = 80\n"))[0].contains("no longer long"));
    }

    #[test]
    fn shrinking_lowers_and_removes_but_never_raises() {
        let old = format!("# Why.\n\n{LISTED}lines = 80\n");
        let ratchet: Ratchet = toml::from_str(&old).expect("the list is sound");
        let key = ("crates/a/src/lib.rs".to_owned(), "long".to_owned());
        let at = |lines| shrunk(&old, &ratchet, &BTreeMap::from([(key.clone(), (1, lines))]));
        assert!(at(75).contains("lines = 75"));
        assert!(at(90).contains("lines = 80"));
        assert_eq!(shrunk(&old, &ratchet, &BTreeMap::new()), "# Why.\n");
    }
}
