//! The repository as data: every file that is or would be committed, read once.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A rule broken at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the repository root, with `/`.
    pub path: String,
    /// Line counted from 1; 0 means the file as a whole.
    pub line: usize,
    /// What is there and what would be right.
    pub text: String,
}

impl Finding {
    /// A finding about a line, or about the whole file with line 0.
    pub fn new(path: &str, line: usize, text: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.text),
            line => write!(f, "{}:{line}: {}", self.path, self.text),
        }
    }
}

/// One file of the repository.
pub struct SourceFile {
    /// Path from the repository root, with `/`.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// The text; `None` for a file that is not UTF-8.
    pub text: Option<String>,
}

/// Every file of the repository.
pub struct Repo {
    /// The workspace root.
    pub root: PathBuf,
    /// The files, sorted by path.
    pub files: Vec<SourceFile>,
}

impl Repo {
    /// Reads the repository this crate was built in.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub fn open() -> io::Result<Repo> {
        let root = root();
        let mut files = Vec::new();
        for path in paths(&root)? {
            let full = root.join(&path);
            // A tracked file may be deleted in the working tree; a link is checked by its target.
            let Ok(meta) = full.symlink_metadata() else { continue };
            if !meta.is_file() {
                continue;
            }
            let text = String::from_utf8(std::fs::read(&full)?).ok();
            files.push(SourceFile { path, bytes: meta.len(), text });
        }
        Ok(Repo { root, files })
    }

    /// A repository made of texts, for tests of the rules.
    pub fn from_texts(texts: &[(&str, &str)]) -> Repo {
        let file = |(path, text): &(&str, &str)| SourceFile {
            path: (*path).to_owned(),
            bytes: text.len() as u64,
            text: Some((*text).to_owned()),
        };
        Repo { root: PathBuf::from("."), files: texts.iter().map(file).collect() }
    }

    /// The text of the file at `path`, if it is there and is text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path)?.text.as_deref()
    }

    /// Path and text of every text file.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// Path and text of every text file whose name ends in one of `endings`.
    pub fn texts_ending<'a>(
        &'a self,
        endings: &'a [&'a str],
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.texts().filter(|(path, _)| endings.iter().any(|ending| path.ends_with(ending)))
    }
}

/// The workspace root.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace root").to_path_buf()
}

/// Whether the file holds tests or what tests read: it is free of the size limits.
pub fn is_test_path(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.split('/').rev().skip(1).any(|folder| {
            matches!(folder, "tests" | "fixtures" | "corpus" | "scenarios" | "snapshots")
        })
}

/// Asks git; without git, or outside a checkout, walks the folder and leaves out what
/// `.gitignore` names.
fn paths(root: &Path) -> io::Result<BTreeSet<String>> {
    let git = Command::new("git")
        // A clone that belongs to another user is still read: only names are asked for.
        .args(["-c", "safe.directory=*", "ls-files", "-z"])
        .args(["--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output();
    if let Ok(output) = git
        && output.status.success()
    {
        let names = String::from_utf8_lossy(&output.stdout);
        let found: BTreeSet<String> =
            names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        if found.contains("Cargo.toml") {
            return Ok(found);
        }
    }
    let ignored = std::fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let mut found = BTreeSet::new();
    walk(root, "", &ignored, &mut found)?;
    Ok(found)
}

fn walk(root: &Path, folder: &str, ignored: &str, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        if name == ".git" || is_ignored(&path, &name, ignored) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            walk(root, &path, ignored, found)?;
        } else {
            found.insert(path);
        }
    }
    Ok(())
}

/// The three forms our `.gitignore` uses: `/anchored`, `*.ending`, and a name anywhere.
fn is_ignored(path: &str, name: &str, ignored: &str) -> bool {
    ignored.lines().map(|line| line.trim().trim_end_matches('/')).any(|rule| {
        if let Some(anchored) = rule.strip_prefix('/') {
            path == anchored
        } else if let Some(ending) = rule.strip_prefix('*') {
            !ending.is_empty() && name.ends_with(ending)
        } else {
            name == rule
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walking_agrees_with_gitignore() {
        let ignored = "/target\n*.tmp\n__pycache__/\n";
        assert!(is_ignored("target", "target", ignored));
        assert!(!is_ignored("docs/target", "target", ignored));
        assert!(is_ignored("docs/a.tmp", "a.tmp", ignored));
        assert!(is_ignored("labs/__pycache__", "__pycache__", ignored));
        assert!(!is_ignored("README.md", "README.md", ignored));
    }

    #[test]
    fn the_repository_is_read() {
        let repo = Repo::open().expect("the repository can be read");
        assert!(repo.text("Cargo.toml").is_some_and(|text| text.contains("[workspace]")));
        assert!(!repo.files.iter().any(|file| file.path.starts_with("target/")));
    }
}
