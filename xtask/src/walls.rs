//! The lint walls: what keeps a pure crate from asking the world.
//!
//! Clippy enforces them, from a `clippy.toml` in each pure crate. What is held here is that the
//! files are there, are the same, and that no source file of a pure crate switches them off.
//! `xtask/tests/walls.rs` proves that clippy really refuses what the files name.

use crate::layers::{self, Purity};
use crate::repo::{Finding, Repo, is_test_path};
use crate::rust_source;

/// What every pure crate's `clippy.toml` must be.
pub const PURE_CLIPPY: &str = include_str!("../walls/clippy.toml");

/// Lints that a pure crate must not switch off outside its tests.
const WALL_LINTS: [&str; 3] =
    ["clippy::disallowed_types", "clippy::disallowed_methods", "clippy::disallowed_macros"];

/// Every pure crate has the walls, and leaves them up.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for layer in layers::TABLE.iter().filter(|layer| layer.purity == Purity::Pure) {
        let folder = format!("crates/{}", layer.name);
        if repo.text(&format!("{folder}/Cargo.toml")).is_none() {
            continue;
        }
        let path = format!("{folder}/clippy.toml");
        match repo.text(&path) {
            None => findings.push(Finding::new(
                &path,
                0,
                "missing: a pure crate carries a copy of xtask/walls/clippy.toml",
            )),
            Some(text) if text != PURE_CLIPPY => findings.push(Finding::new(
                &path,
                0,
                "differs from xtask/walls/clippy.toml: change that file, then copy it here",
            )),
            Some(_) => {}
        }
        findings.extend(switched_off(repo, &format!("{folder}/src/")));
    }
    findings
}

fn switched_off(repo: &Repo, folder: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.texts_ending(&[".rs"]) {
        if !path.starts_with(folder) || is_test_path(path) {
            continue;
        }
        let masked = rust_source::mask(text);
        let tests = rust_source::test_lines(&masked);
        for (index, line) in masked.lines().enumerate() {
            let number = index + 1;
            let inside_tests = tests.iter().any(|range| range.contains(&number));
            if let (Some(lint), false) =
                (WALL_LINTS.iter().find(|lint| line.contains(*lint)), inside_tests)
            {
                let text = format!("`{lint}` is switched off: a pure crate keeps its walls up");
                findings.push(Finding::new(path, number, text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pure_crate_has_its_walls() {
        let findings = check(&Repo::open().expect("the repository can be read"));
        assert!(findings.is_empty(), "{findings:#?}");
    }

    #[test]
    fn the_wall_names_what_it_must() {
        let wall: toml::Table = PURE_CLIPPY.parse().expect("the wall is TOML");
        assert_eq!(wall["too-many-lines-threshold"].as_integer(), Some(70));
        for (key, path) in [
            ("disallowed-types", "std::collections::HashMap"),
            ("disallowed-types", "std::collections::HashSet"),
            ("disallowed-types", "std::hash::RandomState"),
            ("disallowed-methods", "std::time::Instant::now"),
            ("disallowed-methods", "std::time::SystemTime::now"),
            ("disallowed-methods", "std::thread::sleep"),
            ("disallowed-methods", "std::fs::read"),
            ("disallowed-methods", "std::env::var"),
            ("disallowed-methods", "std::process::id"),
        ] {
            let entries = wall[key].as_array().expect("a list of paths");
            let entry = entries.iter().find(|entry| entry["path"].as_str() == Some(path));
            let entry = entry.unwrap_or_else(|| panic!("{key} does not name {path}"));
            assert!(entry["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{path}");
        }
    }

    #[test]
    fn a_missing_wall_a_changed_wall_and_an_allow_are_found() {
        let manifest = "[package]\n";
        let repo = Repo::from_texts(&[
            ("crates/suanpan-model/Cargo.toml", manifest),
            ("crates/suanpan-sched/Cargo.toml", manifest),
            ("crates/suanpan-sched/clippy.toml", "disallowed-types = []\n"),
            ("crates/suanpan-sched/src/lib.rs", "#![allow(clippy::disallowed_types)]\n"),
            ("crates/suanpan-sched/src/tests.rs", "#![allow(clippy::disallowed_types)]\n"),
        ]);
        let paths: Vec<String> = check(&repo).into_iter().map(|finding| finding.path).collect();
        assert_eq!(
            paths,
            [
                "crates/suanpan-model/clippy.toml",
                "crates/suanpan-sched/clippy.toml",
                "crates/suanpan-sched/src/lib.rs"
            ]
        );
    }
}
