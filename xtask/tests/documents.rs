//! The documents check against a real command line: this crate's own, whose help text is made by
//! the same library as that of `suanpan`.

use std::path::Path;

use xtask::{docs, repo::Repo};

fn findings(commands: &[&str]) -> Vec<String> {
    let lines: Vec<String> =
        commands.iter().map(|command| format!("$ suanpan {command}\n")).collect();
    let text = format!("```console\n{}```\n", lines.concat());
    let binary = Path::new(env!("CARGO_BIN_EXE_xtask"));
    let found = docs::check(&Repo::from_texts(&[("README.md", &text)]), binary);
    found.into_iter().map(|finding| finding.to_string()).collect()
}

#[test]
fn what_exists_passes() {
    let commands = ["tidy --shrink", "bench submit -- --anything", "soak", "--version", "tidy -h"];
    assert_eq!(findings(&commands), Vec::<String>::new());
}

#[test]
fn what_does_not_exist_is_named_with_its_line() {
    let found = findings(&["tidy", "tidi", "tidy --grow", "--shrink"]);
    assert_eq!(
        found,
        [
            "README.md:3: `suanpan tidi`: there is no such verb",
            "README.md:4: `suanpan tidy` has no flag `--grow`",
            "README.md:5: `suanpan` has no flag `--shrink`",
        ]
    );
}
