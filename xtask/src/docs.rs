//! What the documents show a reader to type exists.
//!
//! Every line `$ suanpan …` inside a fenced `console` block of `README.md` and `docs/` is held
//! against the help text of the built binary: the verb is there, and so is each flag.

use std::path::Path;

use crate::binary;
use crate::repo::{Finding, Repo};

/// A command a document shows.
#[derive(Debug, PartialEq, Eq)]
pub struct Shown {
    /// The line in the document, from 1.
    pub line: usize,
    /// The words after `suanpan`.
    pub words: Vec<String>,
}

/// The documents whose commands are checked.
pub fn documents(repo: &Repo) -> impl Iterator<Item = (&str, &str)> {
    repo.texts_ending(&[".md"]).filter(|(path, _)| {
        *path == "README.md" || path.starts_with("docs/") && !path.starts_with("docs/decisions/")
    })
}

/// Every shown command names a verb and flags that exist.
pub fn check(repo: &Repo, binary: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in documents(repo) {
        for shown in shown(text) {
            let help = |words: &[&str]| binary::help(binary, words);
            if let Some(text) = check_words(&shown.words, &help) {
                findings.push(Finding::new(path, shown.line, text));
            }
        }
    }
    findings
}

/// Every `$ suanpan …` line, and every `$ cargo run … -- …` line, of a document's console
/// blocks.
pub fn shown(text: &str) -> Vec<Shown> {
    let mut found = Vec::new();
    let mut in_console = false;
    let mut open: Option<Shown> = None;
    for (index, line) in text.lines().enumerate() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            in_console = !in_console && language.trim() == "console";
            found.extend(open.take());
            continue;
        }
        if !in_console {
            continue;
        }
        let (body, goes_on) = match line.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (line, false),
        };
        match (&mut open, body.strip_prefix("$ ")) {
            (Some(shown), _) => shown.words.extend(split(body)),
            (None, Some(command)) => {
                open = our_words(split(command)).map(|words| Shown { line: index + 1, words });
            }
            (None, None) => {}
        }
        if !goes_on {
            found.extend(open.take());
        }
    }
    found.extend(open);
    found
}

/// The words after `suanpan`, settings of the environment before it left out.
fn our_words(words: Vec<String>) -> Option<Vec<String>> {
    let start = words.iter().position(|word| !word.contains('='))?;
    let words = &words[start..];
    if words[0] == "suanpan" {
        return Some(words[1..].to_vec());
    }
    let is_run = words[0] == "cargo" && words.get(1).is_some_and(|word| word == "run");
    let dashes = words.iter().position(|word| word == "--")?;
    is_run.then(|| words[dashes + 1..].to_vec())
}

/// Splits at spaces outside quotes, and ends at a pipe, a redirection, `;`, `&` or a comment.
fn split(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for ch in command.chars() {
        match (quote, ch) {
            (Some(open), _) if ch == open => quote = None,
            (Some(_), _) => words.last_mut().expect("never empty").push(ch),
            (None, '"' | '\'') => quote = Some(ch),
            (None, '|' | '>' | '<' | ';' | '&') => break,
            (None, '#') if words.last().is_some_and(String::is_empty) => break,
            (None, ' ') => words.push(String::new()),
            (None, _) => words.last_mut().expect("never empty").push(ch),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What is wrong with the words, if anything. `help` answers with the help text of a verb.
fn check_words(words: &[String], help: &dyn Fn(&[&str]) -> Option<String>) -> Option<String> {
    let mut verbs: Vec<&str> = Vec::new();
    let mut text = help(&[])?;
    let mut flags = Vec::new();
    // What follows `--` or the name of a script belongs to the command or the script.
    let is_script = |word: &str| word.ends_with(".sh") || word.ends_with(".sbatch");
    for word in words.iter().take_while(|word| *word != "--" && !is_script(word)) {
        if word.starts_with('-') {
            flags.push(word.split('=').next().unwrap_or(word));
        } else if flags.is_empty() && lists_verb(&text, word) {
            verbs.push(word);
            let Some(deeper) = help(&verbs) else {
                return Some(format!("`suanpan {}` has no help", verbs.join(" ")));
            };
            text = deeper;
        } else if verbs.is_empty() && flags.is_empty() {
            return Some(format!("`suanpan {word}`: there is no such verb"));
        }
    }
    let unknown = flags.into_iter().find(|flag| !names_flag(&text, flag))?;
    let command = [&["suanpan"], &verbs[..]].concat().join(" ");
    Some(format!("`{command}` has no flag `{unknown}`"))
}

/// The list under `Commands:` has a line that starts with the word.
fn lists_verb(help: &str, word: &str) -> bool {
    let listed = help.lines().skip_while(|line| line.trim() != "Commands:").skip(1);
    listed
        .take_while(|line| line.starts_with(' ') || line.is_empty())
        .any(|line| line.split_whitespace().next() == Some(word))
}

fn names_flag(help: &str, flag: &str) -> bool {
    let is_edge = |ch: char| !(ch.is_alphanumeric() || ch == '-' || ch == '_');
    // `-n4` and `-abc` are short flags: the first letter is what can be looked up.
    let flag = if flag.starts_with("--") { flag } else { &flag[..flag.len().min(2)] };
    help.split(is_edge).any(|word| word == flag)
}

/// The text with fenced blocks blanked out, lines kept.
pub fn without_fences(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        if !inside && !is_fence {
            out.push_str(line);
        }
        inside ^= is_fence;
        out.push('\n');
    }
    out
}

/// The text with fenced blocks and `code` spans blanked out, lines kept.
pub fn without_code(text: &str) -> String {
    let plain = without_fences(text);
    let mut out = String::new();
    for line in plain.lines() {
        for (index, piece) in line.split('`').enumerate() {
            if index % 2 == 0 {
                out.push_str(piece);
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_show_what_exists() {
        let repo = Repo::open().expect("the repository can be read");
        match binary::built(&repo.root) {
            Err(reason) => eprintln!("skipped: {reason}"),
            Ok(binary) => {
                let findings = check(&repo, &binary);
                assert!(findings.is_empty(), "{findings:#?}");
            }
        }
    }

    #[test]
    fn commands_are_read_from_console_blocks_only() {
        let text = "```console\n$ suanpan ps --json | head\noutput\n$ ls\n```\n$ suanpan no\n\
                    ```sh\n$ suanpan no\n```\n```console\n$ A=1 suanpan submit \\\n    job.sh -q\n\
                    $ cargo run --release -- demo\n```\n";
        let found: Vec<String> = shown(text).iter().map(|shown| shown.words.join(" ")).collect();
        assert_eq!(found, ["ps --json", "submit job.sh -q", "demo"]);
        assert_eq!(shown(text)[1].line, 11);
    }

    fn help(words: &[&str]) -> Option<String> {
        match words {
            [] => Some("Usage\n\nCommands:\n  journal  J\n  run      R\n\nOptions:\n  -h\n".into()),
            ["journal"] => Some("Commands:\n  verify  V\n".into()),
            ["journal", "verify"] => Some("Options:\n  -q, --quiet\n      --from <SEQ>\n".into()),
            ["run"] => Some("Options:\n  -n, --nodes <N>\n".into()),
            _ => None,
        }
    }

    fn wrong(command: &str) -> Option<String> {
        check_words(&split(command), &help)
    }

    #[test]
    fn verbs_and_flags_are_looked_up_in_the_help() {
        for command in
            ["journal verify -q --from=3 x", "run -n2 -- python3 --fast", "run a b", "run a.sh --x"]
        {
            assert_eq!(wrong(command), None, "{command}");
        }
        assert!(wrong("journl").is_some_and(|text| text.contains("no such verb")));
        assert!(wrong("run --node 2").is_some_and(|text| text.contains("no flag `--node`")));
        assert!(wrong("journal verify --to 3").is_some_and(|text| text.contains("`--to`")));
    }
}
