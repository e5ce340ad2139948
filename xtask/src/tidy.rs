//! The rules about text: sizes, words, names, links.

pub mod functions;
mod links;
mod names;
mod sizes;
mod words;

use crate::repo::{Finding, Repo};

/// One named group of rules.
pub struct Check {
    /// What `cargo xtask tidy` prints.
    pub name: &'static str,
    /// Reads the repository and names what is wrong.
    pub run: fn(&Repo) -> Vec<Finding>,
}

/// Every group, in the order of printing.
pub const CHECKS: &[Check] = &[
    Check { name: "file sizes", run: sizes::check },
    Check { name: "function sizes", run: functions::check },
    Check { name: "words", run: words::check },
    Check { name: "names", run: names::check },
    Check { name: "links", run: links::check },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let repo = Repo::open().expect("the repository can be read");
        let findings = CHECKS.iter().flat_map(|check| (check.run)(&repo));
        let lines: Vec<String> = findings.map(|finding| finding.to_string()).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}
