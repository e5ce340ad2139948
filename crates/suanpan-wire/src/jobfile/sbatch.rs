//! Unmodified `#SBATCH` scripts, `SBATCH_*` variables and sbatch's command line.
//!
//! One table ([`TABLE`]) says for every option of sbatch what it is called, which variable sets
//! it, what value it takes and what it sets, or why it is refused. Directives, environment and
//! command line are all read by it into [`Setting`]s; [`assemble`] applies them in Slurm's order
//! of precedence: command line over variables over directives over defaults.

mod directives;
mod options;
mod setters;
mod table;

#[cfg(test)]
mod tests;

pub use directives::{Directives, read_directives};
pub use options::{Origin, Setting, parse_options, settings_from_environment};
pub use table::{ClientOptions, Effect, OptionRow, Owner, TABLE, ValueKind};

use super::{JobFileError, Note, SIZE_MAX};
use crate::v1::submit::{Payload, SubmitJob};
use std::collections::BTreeMap;

/// What an sbatch command line and its script ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The job as it was typed.
    pub job: SubmitJob,
    /// What the client itself is asked to do (wait, print less, only test).
    pub client: ClientOptions,
    /// What the user should know although everything is accepted.
    pub notes: Vec<Note>,
}

/// Where the payload of a submission comes from.
#[derive(Debug, Clone, Copy)]
pub enum Program<'a> {
    /// A script file: its text, and the name that becomes the job's by default.
    Script {
        /// Text of the script.
        text: &'a str,
        /// Base name of the file, `sbatch` for standard input.
        name: &'a str,
    },
    /// The text of `--wrap`, which must be among the settings.
    Wrap,
    /// A program and its arguments.
    Command(&'a [String]),
}

/// Reads a script with its directives, under the `SBATCH_*` variables of `environment` and the
/// options of a command line (from [`parse_options`]).
///
/// `args` are the script's own arguments. All errors are collected.
pub fn read_script(
    text: &str,
    name: &str,
    environment: &BTreeMap<String, String>,
    command_line: Vec<Setting>,
    args: &[String],
) -> Result<Submission, Vec<JobFileError>> {
    let mut errors = check_script(text);
    let Directives { mut settings, mut notes, errors: in_directives } = read_directives(text);
    errors.extend(in_directives);
    let (from_environment, unknown) = settings_from_environment(environment);
    settings.extend(from_environment);
    notes.extend(unknown);
    settings.extend(command_line);
    let assembled = assemble(settings, Program::Script { text, name }, args);
    match assembled {
        Ok(mut submission) if errors.is_empty() => {
            notes.append(&mut submission.notes);
            Ok(Submission { notes, ..submission })
        }
        Ok(_) => Err(errors),
        Err(found) => {
            errors.extend(found);
            errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
            Err(errors)
        }
    }
}

/// Applies settings in order of precedence to a payload.
pub fn assemble(
    mut settings: Vec<Setting>,
    program: Program<'_>,
    args: &[String],
) -> Result<Submission, Vec<JobFileError>> {
    // A stable sort: within one origin the last of two equal options wins, as with getopt.
    // A key for reports is added to the comment, so it comes after every comment.
    settings.sort_by_key(|setting| (setting.row.name == "wckey", setting.origin));
    let mut errors = exclusive_memory(&mut settings);
    let mut job = SubmitJob::new(Payload::Command(Vec::new()));
    let mut client = ClientOptions::default();
    for setting in &settings {
        let applied = match setting.row.effect {
            Effect::Job(set) => set(&mut job, &setting.value),
            Effect::Client(set) => set(&mut client, &setting.value),
            Effect::Refused(remedy) => {
                let name = setting.row.name;
                Err(format!("no --{name}, which is not supported here: {remedy}"))
            }
        };
        if let Err(expected) = applied {
            errors.push(setting.error(expected));
        }
    }
    job.args = args.to_vec();
    let default_name = match (program, client.wrap.take()) {
        (Program::Script { .. } | Program::Command(_), Some(wrapped)) => {
            let expected = "no script beside it, because it makes the script";
            errors.push(JobFileError::new(None, "--wrap", &wrapped, expected));
            ""
        }
        (Program::Script { text, name }, None) => {
            job.payload = Payload::Script(text.to_owned());
            name
        }
        (Program::Command(argv), None) => {
            job.payload = Payload::Command(argv.to_vec());
            argv.first().map_or("", |program| program.rsplit('/').next().unwrap_or(program))
        }
        (Program::Wrap, Some(command)) => {
            job.payload = Payload::Script(format!("#!/bin/sh\n# Made by --wrap.\n\n{command}\n"));
            "wrap"
        }
        (Program::Wrap, None) => {
            errors.push(JobFileError::new(None, "script", "", "a script file or --wrap=<command>"));
            ""
        }
    };
    if job.name.is_none() && !default_name.is_empty() {
        job.name = Some(default_name.to_owned());
    }
    if errors.is_empty() { Ok(Submission { job, client, notes: Vec::new() }) } else { Err(errors) }
}

/// `--mem`, `--mem-per-cpu` and `--mem-per-gpu` exclude one another: of different origins the
/// stronger stays, of the same origin is an error.
fn exclusive_memory(settings: &mut Vec<Setting>) -> Vec<JobFileError> {
    let is_memory =
        |setting: &Setting| matches!(setting.row.name, "mem" | "mem-per-cpu" | "mem-per-gpu");
    let Some(strongest) = settings.iter().filter(|s| is_memory(s)).map(|s| s.origin).max() else {
        return Vec::new();
    };
    settings.retain(|setting| !is_memory(setting) || setting.origin == strongest);
    let mut names = settings.iter().filter(|s| is_memory(s));
    let first = names.next().map(|setting| setting.row.name);
    match names.find(|setting| Some(setting.row.name) != first) {
        Some(second) => vec![second.error(format!(
            "only one of --mem, --mem-per-cpu and --mem-per-gpu (--{} is given too)",
            first.unwrap_or_default()
        ))],
        None => Vec::new(),
    }
}

/// What sbatch itself checks before it looks at directives.
fn check_script(text: &str) -> Vec<JobFileError> {
    let first = text.lines().next().unwrap_or_default();
    let refuse = |line, value: &str, expected: &str| {
        vec![JobFileError::new(Some(line), "script", value, expected)]
    };
    if text.len() > SIZE_MAX {
        return refuse(1, "", "a script of at most 4 MiB");
    }
    if !first.starts_with("#!") {
        return refuse(1, first, "`#!` and the path of an interpreter, such as #!/bin/bash");
    }
    let line_of = |wrong: &str| text.lines().position(|line| line.contains(wrong));
    if text.contains('\0') {
        let line = line_of("\0").map_or(1, |index| index + 1);
        return refuse(line, "", "text without NUL bytes");
    }
    if let Some(at) = text.find("\r\n") {
        let line = text[..at].matches('\n').count() + 1;
        return refuse(line, "", "UNIX line ends (the file has DOS ones: run dos2unix on it)");
    }
    Vec::new()
}
