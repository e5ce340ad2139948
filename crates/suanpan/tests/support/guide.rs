//! A guide that needs no network, typed as it stands.

use super::Answer;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Types every command of a guide's console blocks, in a directory with a copy of its examples,
/// which it answers. All must succeed.
pub fn typed(guide: &str, examples: &str) -> TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().expect("a temporary directory");
    for entry in fs::read_dir(root.join(examples)).expect("examples") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("it is copied");
    }
    let guide = fs::read_to_string(root.join(guide)).expect("the guide");
    let mut inside = false;
    let mut commands = Vec::new();
    for line in guide.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            line if inside => commands.extend(line.strip_prefix("$ ")),
            _ => {}
        }
    }
    assert!(commands.len() >= 5, "five commands and more");
    let bin = Path::new(env!("CARGO_BIN_EXE_suanpan")).parent().expect("a folder").display();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    for command in commands {
        let mut bash = Command::new("bash");
        bash.args(["-c", command]).current_dir(folder.path()).env("PATH", &path);
        let answer = Answer::from(bash.output().expect("bash is there"));
        assert_eq!(answer.code, 0, "{command}\n{}{}", answer.out, answer.err);
    }
    folder
}
