//! The test tiers, in the order a failure is cheapest to find.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::ops::AddAssign;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::repo::{Finding, Repo};
use crate::{binary, docs, generated, layers, tidy};

/// How many checks or tests passed and failed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Those that passed.
    pub passed: u64,
    /// Those that failed, a runner that could not run counted as one.
    pub failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    const PASSED: Tally = Tally { passed: 1, failed: 0 };
    const FAILED: Tally = Tally { passed: 0, failed: 1 };

    fn exit_code(self) -> ExitCode {
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// `cargo xtask tidy`.
///
/// # Errors
/// The repository cannot be read.
pub fn tidy() -> anyhow::Result<ExitCode> {
    let repo = Repo::open()?;
    let mut total = tier("tidy", || tidy_tier(&repo))?;
    total += tier("documents", || documents_tier(&repo))?;
    println!("{total}");
    Ok(total.exit_code())
}

/// `cargo xtask test`: every tier, and one last line that sums them up.
///
/// # Errors
/// The repository cannot be read, or a runner cannot be started.
pub fn test() -> anyhow::Result<ExitCode> {
    let total = all_tiers(&Repo::open()?)?;
    println!("{total}");
    Ok(total.exit_code())
}

/// `cargo xtask ci`: every tier, then the demo as the README starts it.
///
/// # Errors
/// As [`test`].
pub fn ci() -> anyhow::Result<ExitCode> {
    let repo = Repo::open()?;
    let mut total = all_tiers(&repo)?;
    total += tier("demo", || command_check(&repo.root, &["run", "--release", "--", "demo"]))?;
    println!("{total}");
    Ok(total.exit_code())
}

fn all_tiers(repo: &Repo) -> anyhow::Result<Tally> {
    let mut total = tier("tidy", || tidy_tier(repo))?;
    total += tier("tests", || test_tier(repo))?;
    total += tier("documents", || documents_tier(repo))?;
    Ok(total)
}

/// Runs one tier between its two lines.
fn tier(name: &str, run: impl FnOnce() -> anyhow::Result<Tally>) -> anyhow::Result<Tally> {
    println!("== {name}");
    let start = Instant::now();
    let tally = run()?;
    println!("== {name}: {tally} in {:.1} s", start.elapsed().as_secs_f64());
    Ok(tally)
}

/// Formatting, lints, and the rules of this crate.
fn tidy_tier(repo: &Repo) -> anyhow::Result<Tally> {
    let mut tally = checked("layers and walls", &layers::check(repo));
    for check in tidy::CHECKS {
        tally += checked(check.name, &(check.run)(repo));
    }
    if has_subcommand("fmt") {
        tally += command_check(&repo.root, &["fmt", "--all", "--check"])?;
    } else {
        println!("skip  cargo fmt: not installed");
    }
    if !has_subcommand("clippy") {
        println!("skip  cargo clippy: not installed");
        return Ok(tally);
    }
    let mut words = vec!["clippy", "--workspace", "--all-targets", "--quiet"];
    words.extend(features(repo));
    if is_pinned_toolchain(repo) {
        words.extend(["--", "-D", "warnings"]);
    } else {
        println!("note  not the toolchain of rust-toolchain.toml: new warnings do not fail");
    }
    tally += command_check(&repo.root, &words)?;
    Ok(tally)
}

fn checked(name: &str, findings: &[Finding]) -> Tally {
    for finding in findings {
        println!("{finding}");
    }
    println!("{}  {name}", if findings.is_empty() { "ok  " } else { "FAIL" });
    if findings.is_empty() { Tally::PASSED } else { Tally::FAILED }
}

fn command_check(root: &Path, words: &[&str]) -> anyhow::Result<Tally> {
    let status = cargo(root, words).status().context("cargo cannot be run")?;
    println!("{}  cargo {}", if status.success() { "ok  " } else { "FAIL" }, words.join(" "));
    Ok(if status.success() { Tally::PASSED } else { Tally::FAILED })
}

/// Every test of the workspace, with nextest where it is installed.
fn test_tier(repo: &Repo) -> anyhow::Result<Tally> {
    let mut words: Vec<&str>;
    if has_subcommand("nextest") {
        words = vec!["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"];
        words.extend(features(repo));
        let mut tally = run_counted(&repo.root, &words)?;
        // nextest does not run the examples in documentation comments.
        words = vec!["test", "--workspace", "--doc", "--no-fail-fast"];
        words.extend(features(repo));
        tally += run_counted(&repo.root, &words)?;
        return Ok(tally);
    }
    words = vec!["test", "--workspace", "--no-fail-fast"];
    words.extend(features(repo));
    run_counted(&repo.root, &words)
}

/// What only the built binary can answer.
fn documents_tier(repo: &Repo) -> anyhow::Result<Tally> {
    if !repo.files.iter().any(|file| file.path.starts_with("crates/suanpan/src/verbs")) {
        println!("skip  documents and generated files: the suanpan binary has no verbs yet");
        return Ok(Tally::default());
    }
    // The tests tier has built it, as a rule.
    let found = binary::built(&repo.root).or_else(|_| match build_binary(repo) {
        Ok(()) => binary::just_built(),
        Err(error) => Err(error.to_string()),
    });
    let binary = match found {
        Ok(binary) => binary,
        Err(reason) => {
            println!("FAIL  documents and generated files: {reason}");
            return Ok(Tally::FAILED);
        }
    };
    let mut tally = checked("documents show what exists", &docs::check(repo, &binary));
    tally += checked("generated files are fresh", &generated::check(repo, &binary)?);
    Ok(tally)
}

/// Builds `suanpan` with the features the tests use, so that nothing is built twice.
///
/// # Errors
/// The build fails.
pub fn build_binary(repo: &Repo) -> anyhow::Result<()> {
    let mut words = vec!["build", "--quiet", "--workspace", "--bins"];
    words.extend(features(repo));
    // This very program is running: the other binaries are enough.
    words.extend(["--exclude", "xtask"]);
    if !cargo(&repo.root, &words).status().context("cargo cannot be run")?.success() {
        bail!("`cargo {}` failed", words.join(" "));
    }
    Ok(())
}

/// The failpoints of the tests are compiled in where the binary crate offers them.
fn features(repo: &Repo) -> Vec<&'static str> {
    let manifest: Option<toml::Table> =
        repo.text("crates/suanpan/Cargo.toml").and_then(|text| text.parse().ok());
    let has_failpoints =
        manifest.is_some_and(|manifest| manifest.get("features").is_some_and(has_failpoints));
    if has_failpoints { vec!["--features", "suanpan/failpoints"] } else { Vec::new() }
}

fn has_failpoints(features: &toml::Value) -> bool {
    features.get("failpoints").is_some()
}

/// Runs a test runner, shows its output as it comes, and counts from its own closing lines.
fn run_counted(root: &Path, words: &[&str]) -> anyhow::Result<Tally> {
    println!("$ cargo {}", words.join(" "));
    let mut child = cargo(root, words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo cannot be run")?;
    let out = child.stdout.take().expect("stdout is piped");
    let err = child.stderr.take().expect("stderr is piped");
    let (from_out, from_err) = std::thread::scope(|scope| {
        let from_err = scope.spawn(|| pass_on(err, std::io::stderr()));
        let from_out = pass_on(out, std::io::stdout());
        (from_out, from_err.join().expect("passing lines on does not panic"))
    });
    let mut tally = from_out;
    tally += from_err;
    let status = child.wait().context("cargo cannot be waited for")?;
    if !status.success() && tally.failed == 0 {
        println!("FAIL  cargo {}: {status}", words.join(" "));
        tally += Tally::FAILED;
    }
    Ok(tally)
}

fn pass_on(from: impl Read, mut to: impl Write) -> Tally {
    let mut tally = Tally::default();
    let mut reader = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return tally,
            Ok(_) => {}
        }
        // A closed terminal must not stop the count.
        let _ = to.write_all(&line);
        let _ = to.flush();
        if let Some(counted) = count(&String::from_utf8_lossy(&line)) {
            tally += counted;
        }
    }
}

/// The counts in a closing line of `cargo test` or nextest. The former's is not indented: nextest
/// shows that of each test that failed so.
fn count(line: &str) -> Option<Tally> {
    let counts = match line.strip_prefix("test result: ") {
        Some(rest) => rest.split_once(". ")?.1,
        None => line.trim().strip_prefix("Summary [")?.split_once(" run: ")?.1,
    };
    let mut tally = Tally::default();
    // nextest puts details in brackets behind a count: `2 passed (1 slow)`.
    let plain: String =
        counts.split('(').map(|part| part.split(')').next_back().unwrap_or(part)).collect();
    for part in plain.split([',', ';']) {
        let Some((number, word)) = part.trim().split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match word.trim() {
            "passed" => tally.passed += number,
            "failed" | "exec failed" | "timed out" => tally.failed += number,
            _ => {}
        }
    }
    Some(tally)
}

/// Whether `cargo <name>` can be run.
pub fn has_subcommand(name: &str) -> bool {
    let quiet = clean_env(Command::new("cargo"))
        .args([name, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    quiet.is_ok_and(|status| status.success())
}

/// Whether the cargo at hand is the one `rust-toolchain.toml` names.
fn is_pinned_toolchain(repo: &Repo) -> bool {
    let pin: Option<toml::Table> =
        repo.text("rust-toolchain.toml").and_then(|text| text.parse().ok());
    let channel = pin.as_ref().and_then(|pin| pin.get("toolchain")?.get("channel")?.as_str());
    let version = clean_env(Command::new("rustc")).arg("--version").output();
    match (channel, version) {
        (Some(channel), Ok(output)) => {
            String::from_utf8_lossy(&output.stdout).split_whitespace().nth(1) == Some(channel)
        }
        _ => false,
    }
}

fn cargo(root: &Path, words: &[&str]) -> Command {
    let mut command = clean_env(Command::new("cargo"));
    command.args(words).current_dir(root).env("CARGO_TERM_COLOR", "never");
    command
}

/// Takes away what `cargo run` told this program about its own package: build scripts watch some
/// of these variables, and would be run again for nothing.
pub fn clean_env(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_are_counted() {
        let of = |passed, failed| Some(Tally { passed, failed });
        let cargo = "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered \
                     out; finished in 0.01s";
        assert_eq!(count(cargo), of(3, 1));
        let ok = "test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(count(ok), of(7, 0));
        let nextest = "     Summary [   0.007s] 5 tests run: 2 passed (1 slow, 1 flaky), 1 failed, \
                       2 timed out, 4 skipped";
        assert_eq!(count(nextest), of(2, 3));
        let one = "     Summary [   0.007s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(count(one), of(1, 0));
        assert_eq!(count("test tiers::tests::x ... ok"), None);
        assert_eq!(count("    test result: FAILED. 0 passed; 1 failed"), None);
    }

    #[test]
    fn output_is_passed_on_and_counted() {
        let text = "test result: ok. 2 passed; 0 failed\nother\ntest result: ok. 1 passed\nend";
        let mut shown = Vec::new();
        let tally = pass_on(text.as_bytes(), &mut shown);
        assert_eq!(tally, Tally { passed: 3, failed: 0 });
        assert_eq!(shown, text.as_bytes());
    }

    #[test]
    fn failpoints_are_asked_for_only_where_they_exist() {
        let at = |text| Repo::from_texts(&[("crates/suanpan/Cargo.toml", text)]);
        assert!(features(&at("[package]\n")).is_empty());
        let with = at("[features]\nfailpoints = [\"fail/failpoints\"]\n");
        assert_eq!(features(&with), ["--features", "suanpan/failpoints"]);
    }
}
