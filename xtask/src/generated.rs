//! Generated files are committed, and must be fresh.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::binary;
use crate::repo::{Finding, Repo};
use crate::tiers;

/// Where the generated files are listed.
pub const LIST: &str = "xtask/generated.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    generated: Vec<Generated>,
}

/// One generated file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Path from the root.
    pub file: String,
    /// The words of the command that prints it; the first is `suanpan`.
    pub command: Vec<String>,
}

/// The list of generated files.
///
/// # Errors
/// The list cannot be read, or a command does not start with `suanpan`.
pub fn list(repo: &Repo) -> anyhow::Result<Vec<Generated>> {
    let text = repo.text(LIST).unwrap_or_default();
    let list: List = toml::from_str(text).with_context(|| LIST.to_owned())?;
    for entry in &list.generated {
        if entry.command.first().map(String::as_str) != Some("suanpan") {
            bail!("{LIST}: {}: the command starts with `suanpan`", entry.file);
        }
    }
    Ok(list.generated)
}

/// Each listed file is what its command prints now.
///
/// # Errors
/// The list cannot be read, or a command fails.
pub fn check(repo: &Repo, binary: &Path) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in list(repo)? {
        let printed = print(&entry, binary, &repo.root)?;
        if repo.text(&entry.file) != Some(printed.as_str()) {
            let text = format!(
                "is not what `{}` prints: run `cargo xtask generate`",
                entry.command.join(" ")
            );
            findings.push(Finding::new(&entry.file, 0, text));
        }
    }
    Ok(findings)
}

/// Builds the binary and writes every listed file.
///
/// # Errors
/// The build, a command or a write fails.
pub fn rewrite(repo: &Repo) -> anyhow::Result<ExitCode> {
    tiers::build_binary(repo)?;
    let binary = binary::just_built().map_err(anyhow::Error::msg)?;
    for entry in list(repo)? {
        let path = repo.root.join(&entry.file);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        std::fs::write(&path, print(&entry, &binary, &repo.root)?)
            .with_context(|| entry.file.clone())?;
        println!("wrote {}", entry.file);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(entry: &Generated, binary: &Path, root: &Path) -> anyhow::Result<String> {
    let command = entry.command.join(" ");
    let output = Command::new(binary)
        .args(&entry.command[1..])
        .current_dir(root)
        .output()
        .with_context(|| command.clone())?;
    if !output.status.success() {
        bail!("`{command}`: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{command}` prints no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_files_are_fresh() {
        let repo = Repo::open().expect("the repository can be read");
        match binary::built(&repo.root) {
            Err(reason) => eprintln!("skipped: {reason}"),
            Ok(binary) => {
                let findings = check(&repo, &binary).expect("the commands succeed");
                assert!(findings.is_empty(), "{findings:#?}");
            }
        }
    }

    #[test]
    fn a_stale_file_is_found() {
        let list = "[[generated]]\nfile = \"a.txt\"\ncommand = [\"suanpan\", \"fresh\"]\n";
        let at = |text| Repo::from_texts(&[(LIST, list), ("a.txt", text)]);
        let echo = Path::new("/bin/echo");
        assert!(check(&at("fresh\n"), echo).expect("echo succeeds").is_empty());
        let stale = check(&at("old\n"), echo).expect("echo succeeds");
        assert!(stale[0].text.contains("cargo xtask generate"));
    }

    #[test]
    fn another_program_is_refused() {
        let text = "[[generated]]\nfile = \"a\"\ncommand = [\"date\"]\n";
        assert!(list(&Repo::from_texts(&[(LIST, text)])).is_err());
    }
}
