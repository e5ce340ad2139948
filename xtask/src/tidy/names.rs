//! Names of crates, modules and decision records.

use crate::repo::{Finding, Repo};

/// Names that do not say what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["common", "util", "utils", "types", "core", "helper", "helpers", "misc"];

/// Crates, modules and decision records are named for what they hold.
pub fn check(repo: &Repo) -> Vec<Finding> {
    repo.files
        .iter()
        .filter_map(|file| {
            let text = check_module(&file.path).or_else(|| check_decision(repo, &file.path))?;
            Some(Finding::new(&file.path, 0, text))
        })
        .collect()
}

fn check_module(path: &str) -> Option<String> {
    if !path.ends_with(".rs") && !path.ends_with("/Cargo.toml") {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    parts.extend(file.strip_suffix(".rs"));
    // `tests/common/mod.rs` is the one place cargo gives for what tests use together.
    if parts.contains(&"tests") {
        return None;
    }
    let bad = parts.into_iter().find(|part| {
        let name = part.strip_prefix("suanpan-").unwrap_or(part);
        EMPTY_NAMES.contains(&name)
    })?;
    Some(format!("`{bad}` does not say what is inside: name it for what it does"))
}

fn check_decision(repo: &Repo, path: &str) -> Option<String> {
    let name = path.strip_prefix("docs/decisions/")?.strip_suffix(".md")?;
    if !is_dated(name) {
        return Some("a decision is named YYYY-MM-DD-what-was-decided.md".to_owned());
    }
    let first = repo.text(path)?.lines().next().unwrap_or_default();
    (!first.starts_with("# ")).then(|| "a decision starts with `# ` and its title".to_owned())
}

/// `2026-11-22-title-in-words`.
fn is_dated(name: &str) -> bool {
    let parts: Vec<&str> = name.splitn(4, '-').collect();
    let [year, month, day, title] = parts[..] else { return false };
    let within = |text: &str, width: usize, low: u16, high: u16| {
        text.len() == width
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse().is_ok_and(|number: u16| (low..=high).contains(&number))
    };
    let is_title = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    within(year, 4, 2000, 2999)
        && within(month, 2, 1, 12)
        && within(day, 2, 1, 31)
        && !title.is_empty()
        && title.bytes().all(is_title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_are_found_in_crates_and_modules() {
        for path in [
            "crates/suanpan-common/Cargo.toml",
            "crates/a/src/utils.rs",
            "crates/a/src/types/mod.rs",
        ] {
            assert!(check_module(path).is_some(), "{path}");
        }
        for path in ["crates/a/src/job.rs", "crates/a/tests/common/mod.rs", "docs/types.md"] {
            assert!(check_module(path).is_none(), "{path}");
        }
    }

    #[test]
    fn decisions_are_dated() {
        assert!(is_dated("2026-11-22-one-journal-writer"));
        for name in ["one-journal-writer", "2026-13-22-x", "2026-1-2-x", "2026-11-22", "README"] {
            assert!(!is_dated(name), "{name}");
        }
    }
}
