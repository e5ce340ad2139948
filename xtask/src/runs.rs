//! Things that are run by name: benches and soaks.

use std::process::ExitCode;

/// One bench or soak: what `cargo xtask bench <name>` finds by its name.
pub struct Run {
    /// The word on the command line.
    pub name: &'static str,
    /// One line for the list.
    pub about: &'static str,
    /// What is run, with the arguments after the name. An error becomes exit code 1.
    pub run: fn(&[String]) -> anyhow::Result<()>,
}

/// Runs the entry called `name`. Without a name the list is printed; an unknown name is a usage
/// error (exit code 2) that lists the names there are.
///
/// # Errors
/// Whatever the run itself returns.
pub fn dispatch(
    kind: &str,
    runs: &[Run],
    name: Option<String>,
    args: &[String],
) -> anyhow::Result<ExitCode> {
    let Some(name) = name else {
        println!("{}", list(kind, runs));
        return Ok(ExitCode::SUCCESS);
    };
    let Some(found) = runs.iter().find(|run| run.name == name) else {
        eprintln!("unknown {kind} `{name}`\n{}", list(kind, runs));
        return Ok(ExitCode::from(2));
    };
    (found.run)(args)?;
    Ok(ExitCode::SUCCESS)
}

fn list(kind: &str, runs: &[Run]) -> String {
    if runs.is_empty() {
        return format!("no {kind} is listed yet: add a file under xtask/src/{kind}/");
    }
    let width = runs.iter().map(|run| run.name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        runs.iter().map(|run| format!("  {:width$}  {}", run.name, run.about)).collect();
    format!("usage: cargo xtask {kind} <name> [arguments]\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &[Run] = &[Run { name: "good", about: "succeeds", run: |_| Ok(()) }];

    #[test]
    fn an_unknown_name_is_a_usage_error() {
        let code = dispatch("bench", RUNS, Some("bad".into()), &[]).expect("no run, no error");
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
        assert!(list("bench", RUNS).contains("good  succeeds"));
    }

    #[test]
    fn a_known_name_is_run() {
        let code = dispatch("bench", RUNS, Some("good".into()), &[]).expect("the run succeeds");
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::SUCCESS));
    }
}
