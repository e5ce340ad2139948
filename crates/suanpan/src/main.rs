//! The one binary: `suanpan <verb>`, and the shims `srun` and `scontrol` by the name it is called.
//!
//! Arguments are in `cli`, each verb in a file of `verbs`, how things are printed in `output`, exit
//! codes in `exit`. A verb answers an exit code or a `Failure`, which is printed here and nowhere
//! else.

mod cli;
mod client;
mod data_args;
mod exit;
mod failure;
mod interrupt;
mod operator_args;
mod output;
mod progress;
mod reference;
mod sbatch_args;
mod server_args;
mod sim_args;
mod submission;
mod topology_args;
mod verbs;

use failure::Failure;
use output::{Form, Output};
use std::ffi::OsString;
use std::process::ExitCode;

/// Names under which the binary behaves as Slurm's command of that name does inside a job.
const SHIMS: [&str; 2] = ["srun", "scontrol"];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    let called = args.first().map(std::path::Path::new).and_then(|path| path.file_name());
    if let Some(shim) = SHIMS.into_iter().find(|shim| called.is_some_and(|name| name == *shim)) {
        return suanpan_agent::shim_main(shim, &args[1..]);
    }
    // The hidden verbs are looked at first: a supervisor's start is not to wait for the rest.
    if let Some(code) = suanpan_agent::dispatch(&args) {
        return code;
    }
    let cli = match cli::Cli::read(&args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &args),
    };
    let form = match (cli.global.json, cli.global.ids) {
        (true, _) => Form::Json,
        (_, true) => Form::Ids,
        _ => Form::Text,
    };
    let output = Output::of_process(form);
    let codes = verbs::codes(&cli.verb);
    let kind = verbs::name(&cli.verb);
    let code = match verbs::run(cli, &output) {
        Ok(code) => code,
        Err(failure) => {
            report(&failure, kind, &output);
            codes.of(failure.code)
        }
    };
    ExitCode::from(code)
}

/// Prints a failure: to people on standard error, to programs as a document.
fn report(failure: &Failure, kind: &str, output: &Output) {
    if failure.is_silent() {
        return;
    }
    if output.form == Form::Json && output.json_failure(kind, vec![failure.to_problem()]).is_ok() {
        return;
    }
    let mut text = String::new();
    for line in failure.message.lines() {
        text.push_str(&format!("error: {line}\n"));
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    output::note(text.trim_end());
}

/// Answers arguments that clap refuses, and its own `--help` and `--version`.
fn usage(error: &clap::Error, args: &[OsString]) -> ExitCode {
    if !error.use_stderr() {
        // A reader that went away is not worth a message.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let words = |wanted: &str| args.iter().any(|arg| arg == wanted);
    let form = if words("--json") { Form::Json } else { Form::Text };
    let verb = args.get(1).and_then(|verb| verb.to_str()).unwrap_or_default();
    report(&failure_of(error, verb), "usage", &Output::of_process(form));
    ExitCode::from(verbs::codes_of_words(verb, args).of(exit::USAGE))
}

/// What clap says, in the form of our own messages.
fn failure_of(error: &clap::Error, verb: &str) -> Failure {
    let text = error.to_string();
    let mut message = Vec::new();
    let mut tips = Vec::new();
    for line in text.lines().take_while(|line| !line.starts_with("Usage:")) {
        match (line.trim().strip_prefix("tip: "), line.trim()) {
            // Words with a hyphen are hardly ever meant as values.
            (Some(tip), _) if tip.contains("as a value, use") => {}
            (Some(tip), _) => tips.push(tip.to_owned()),
            (None, "") => {}
            (None, line) => message.push(line.strip_prefix("error: ").unwrap_or(line).to_owned()),
        }
    }
    if tips.is_empty() {
        let known = verbs::NAMES.contains(&verb);
        let verb = if known { format!(" {verb}") } else { String::new() };
        tips.push(format!("`suanpan{verb} --help` lists what there is"));
    }
    Failure::usage(message.join(" ")).hint(tips.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_options_of_sbatch_may_hold_their_values() {
        let words =
            ["suanpan", "submit", "-N2", "-c4", "job.sh", "-N9", "--own"].map(OsString::from);
        let cli = cli::Cli::read(&words).expect("it is understood");
        let cli::Verb::Submit(submit) = cli.verb else { panic!("submit") };
        assert_eq!(submit.words, ["job.sh", "-N9", "--own"]);
    }
}
