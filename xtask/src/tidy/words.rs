//! Words that are not ours, each with the word to use.

use crate::repo::{Finding, Repo};
use crate::rust_source;

/// An identifier, or a part of one, and what to write for it.
const IDENTIFIERS: [(&str, &str); 7] = [
    ("alloc", "allocation"),
    ("resv", "reservation"),
    ("wl", "job"),
    ("cq", "queue"),
    ("mgr", "the noun that says what it does"),
    ("acct", "project, ledger_account or user"),
    ("canceled", "cancelled (Slurm's spelling of the state)"),
];

/// Endings of a type's name that say nothing.
const TYPE_ENDINGS: [&str; 6] = ["Manager", "Helper", "Helpers", "Info", "Util", "Utils"];

/// Words in any text: where they may not stand, and what to do. The empty first half of a pair
/// keeps this table from finding itself.
const TEXT: [(&[&str], &str); 11] = [
    (&["TO", "DO"], "do it, or write it down as an issue"),
    (&["FIX", "ME"], "fix it, or write it down as an issue"),
    (&["XX", "X"], "say what is meant"),
    (&["/wor", "k/"], "a path of one machine: use a relative path or a temporary folder"),
    (&["/roo", "t/"], "a path of one machine: use a relative path or a temporary folder"),
    (&["index.", "crates.io"], "a registry host: name the package instead"),
    (&["static.", "crates.io"], "a registry host: name the package instead"),
    (&["files.", "pythonhosted.org"], "a registry host: name the package instead"),
    (&["registry.", "npmjs.org"], "a registry host: name the package instead"),
    (&["proxy.", "golang.org"], "a registry host: name the package instead"),
    (&["artifact", "ory"], "a registry host: name the package instead"),
];

/// The only source `Cargo.lock` may name: the public index, which every cargo knows.
const LOCK_SOURCE: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

/// Texts that are written by us rather than gathered.
const WRITTEN: [&str; 14] = [
    ".rs", ".md", ".toml", ".py", ".sh", ".yaml", ".yml", ".json", ".svg", ".html", ".js", ".css",
    ".sbatch", ".ci/run",
];

/// No banned word stands in the repository.
pub fn check(repo: &Repo) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in repo.texts_ending(&WRITTEN) {
        findings.extend(check_text(path, text));
        if path.ends_with(".rs") {
            findings.extend(check_identifiers(path, text));
        }
    }
    for (index, line) in repo.text("Cargo.lock").unwrap_or_default().lines().enumerate() {
        if line.starts_with("source = ") && line != LOCK_SOURCE {
            let text = format!("`{line}`: every outside crate comes from the public index");
            findings.push(Finding::new("Cargo.lock", index + 1, text));
        }
    }
    findings
}

fn check_text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (parts, advice) in TEXT {
        let banned = parts.concat();
        for (at, _) in text.match_indices(&banned) {
            let before = text[..at].chars().next_back();
            let after = text[at + banned.len()..].chars().next();
            // Part of a longer word or of a relative path: not what is meant here.
            let longer = |ch: Option<char>| {
                ch.is_some_and(|ch| ch.is_alphanumeric() || matches!(ch, '_' | '.' | '-' | '}'))
            };
            let ends_in_word = banned.ends_with(char::is_alphanumeric);
            if longer(before) || (ends_in_word && after.is_some_and(char::is_alphanumeric)) {
                continue;
            }
            let line = rust_source::line_of(text, at);
            findings.push(Finding::new(path, line, format!("`{banned}`: {advice}")));
        }
    }
    findings
}

fn check_identifiers(path: &str, text: &str) -> Vec<Finding> {
    let masked = rust_source::mask(text);
    let mut findings = Vec::new();
    let mut previous = "";
    for (at, word) in rust_source::words(&masked) {
        let defines = matches!(previous, "struct" | "enum" | "trait" | "type" | "union");
        previous = word;
        // `std::alloc::…` and foreign names such as `GlobalAlloc` are not ours to choose.
        let is_path = masked[..at].ends_with("::") || masked[at + word.len()..].starts_with("::");
        let line = rust_source::line_of(&masked, at);
        if let Some((banned, ours)) = banned_part(word)
            && !is_path
            && word != "GlobalAlloc"
        {
            let text = format!("`{word}`: not `{banned}` but {ours}");
            findings.push(Finding::new(path, line, text));
        }
        if let Some(ending) = TYPE_ENDINGS.iter().find(|ending| defines && word.ends_with(*ending))
        {
            let text = format!("type `{word}`: `{ending}` says nothing; name what it is");
            findings.push(Finding::new(path, line, text));
        }
    }
    findings
}

fn banned_part(word: &str) -> Option<(&'static str, &'static str)> {
    let parts = split_identifier(word);
    IDENTIFIERS.into_iter().find(|(banned, _)| parts.iter().any(|part| part == banned))
}

/// `AllocId`, `alloc_id` and `ALLOC_ID` are all `alloc`, `id`.
fn split_identifier(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut was_lower = false;
    for ch in word.chars() {
        if ch == '_' || (ch.is_uppercase() && was_lower) {
            parts.push(String::new());
        }
        was_lower = ch.is_lowercase() || ch.is_ascii_digit();
        if ch != '_' {
            parts.last_mut().expect("never empty").extend(ch.to_lowercase());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let repo = Repo::from_texts(&[(path, text)]);
        check(&repo).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn short_forms_are_found_as_parts_of_identifiers() {
        for source in ["let alloc = 1;", "fn alloc_id() {}", "struct AllocId;", "const ALLOC: u8;"]
        {
            assert!(findings("a.rs", source)[0].contains("allocation"), "{source}");
        }
        for source in ["fn dealloc() {}", "use std::alloc::Layout;", "// alloc", "\"alloc\";"] {
            assert!(findings("a.rs", source).is_empty(), "{source}");
        }
    }

    #[test]
    fn empty_type_names_are_found_where_they_are_defined() {
        assert!(findings("a.rs", "struct JobManager;")[0].contains("says nothing"));
        assert!(findings("a.rs", "let a: foreign::JobManager;").is_empty());
    }

    #[test]
    fn texts_are_searched_for_whole_words_and_machine_paths() {
        for parts in [["TO", "DO"], ["/wor", "k/x"], ["/roo", "t/x"], ["index.", "crates.io"]] {
            assert_eq!(findings("a.md", &format!("see {}", parts.concat())).len(), 1);
        }
        assert!(findings("a.md", "labs/work/x and ../root/x and TODOS").is_empty());
        assert!(findings("a.csv", &["TO", "DO"].concat()).is_empty());
    }

    #[test]
    fn the_lock_file_names_the_public_index_only() {
        assert!(findings("Cargo.lock", &format!("{LOCK_SOURCE}\n")).is_empty());
        let mirror = "source = \"registry+https://mirror.example/index\"\n";
        assert!(findings("Cargo.lock", mirror)[0].contains("public index"));
    }
}
