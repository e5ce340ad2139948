//! The built `suanpan` binary, for the checks that ask it something.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The binary beside this build of xtask, if it is built, is newer than every source, and has a
/// command line to ask.
///
/// # Errors
/// Why it cannot be asked, in words for a line that says `skipped: …`.
pub fn built(root: &Path) -> Result<PathBuf, String> {
    let binary = beside_this_build().ok_or("the suanpan binary is not built")?;
    let modified = |path: &Path| path.metadata().and_then(|meta| meta.modified()).ok();
    let built = modified(&binary).ok_or("the suanpan binary cannot be read")?;
    if newest_source(&root.join("crates")).is_some_and(|source| source > built) {
        return Err("the suanpan binary is older than its sources".to_owned());
    }
    answering(binary)
}

/// The binary beside this build of xtask, whatever its age: for use right after building it. Cargo
/// leaves it alone where only test code is newer.
///
/// # Errors
/// As [`built`].
pub fn just_built() -> Result<PathBuf, String> {
    answering(beside_this_build().ok_or("the suanpan binary is not where it is built")?)
}

fn answering(binary: PathBuf) -> Result<PathBuf, String> {
    match help(&binary, &[]) {
        Some(text) if text.contains("Usage") => Ok(binary),
        _ => Err("`suanpan --help` names no usage".to_owned()),
    }
}

/// Whether the failpoints are compiled in: their names are nowhere else in a binary.
#[must_use]
pub fn has_failpoints(binary: &Path) -> bool {
    let name = b"journal-before-sync";
    std::fs::read(binary).is_ok_and(|bytes| bytes.windows(name.len()).any(|part| part == name))
}

/// What `suanpan <words> --help` prints, if it succeeds.
pub fn help(binary: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new(binary).args(words).arg("--help").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// Tests run from `<target>/<profile>/deps/`, `cargo xtask` from `<target>/<profile>/`.
fn beside_this_build() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    this.ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("suanpan"))
        .find(|path| path.is_file())
}

fn newest_source(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                // Tests are no part of the binary.
                let is_tests = path.file_name().is_some_and(|name| name == "tests");
                return if is_tests { None } else { newest_source(&path) };
            }
            let is_source = path.extension().is_some_and(|ending| ending == "rs");
            if is_source { entry.metadata().ok()?.modified().ok() } else { None }
        })
        .max()
}
