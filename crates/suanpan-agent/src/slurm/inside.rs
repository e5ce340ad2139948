//! What a job's script finds under the names `scontrol` and `scancel` at a Slurm site: Slurm's own
//! commands, after two things.
//!
//! A task of an array has the network's number in its variables, the same in all tasks, and is a
//! job of its own at the site. So where it names itself as `36_4`, the site's number of the job is
//! meant. Another task of its array cannot be named at the site, where `36` is somebody else's job:
//! that is refused. And where the script asks to be requeued, this is noted, so that the start that
//! follows is known to be wanted, also if the job was not submitted with `--requeue` (Slurm's own
//! default allows it: JobRequeue in slurm.conf(5)).

use super::store::name;
use crate::local::files::Dir;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use suanpan_model::job::{Launch, Requeue};

#[cfg(test)]
mod tests;

/// Directory of the state directory that scripts have first in their `PATH`.
pub const BIN: &str = "bin";

/// The commands that are there.
const NAMES: [&str; 2] = ["scontrol", "scancel"];

/// Writes the small scripts that lead to the binary's hidden verb.
///
/// # Errors
/// If the directory cannot be written.
pub fn install(state_dir: &Path, exe: &Path) -> io::Result<()> {
    let quoted = |path: &Path| path.display().to_string().replace('\'', r"'\''");
    let (exe, dir) = (quoted(exe), quoted(state_dir));
    for name in NAMES {
        let text = format!("#!/bin/sh\nexec '{exe}' slurm-inside '{dir}' {name} \"$@\"\n");
        let path = state_dir.join(BIN).join(name);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            continue;
        }
        // Replaced by renaming, because a running job may be reading it.
        let temporary = path.with_extension("tmp");
        fs::write(&temporary, text)?;
        fs::set_permissions(&temporary, fs::Permissions::from_mode(0o755))?;
        fs::rename(&temporary, &path)?;
    }
    Ok(())
}

/// The directory of the commands, from that of an allocation.
#[must_use]
pub fn bin_of(allocation: &Dir) -> Option<PathBuf> {
    Some(allocation.0.parent()?.parent()?.join(BIN))
}

/// Which job asks.
#[derive(Clone, Debug, Default)]
struct Own {
    /// Its number at the site.
    job: String,
    /// The network's number of its array, and its index.
    array: Option<(String, String)>,
}

impl Own {
    fn of_environment() -> Own {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let array = get("SLURM_ARRAY_JOB_ID").zip(get("SLURM_ARRAY_TASK_ID"));
        Own { job: get("SLURM_JOB_ID").unwrap_or_default(), array }
    }

    /// A word as the site understands it: a job, several with commas, or `JobId=` and a job.
    fn translated(&self, word: &str) -> Result<String, String> {
        let Some((array, index)) = &self.array else { return Ok(word.to_owned()) };
        let (key, value) = match word.split_once('=') {
            Some((key, value)) if key.trim_start_matches('-').eq_ignore_ascii_case("jobid") => {
                (&word[..=key.len()], value)
            }
            Some(_) => return Ok(word.to_owned()),
            None => ("", word),
        };
        let one = |job: &str| match job.strip_prefix(array.as_str()) {
            Some(rest) if rest.strip_prefix('_') == Some(index) => Ok(self.job.clone()),
            Some(rest) if rest.is_empty() || rest.starts_with('_') => Err(format!(
                "`{job}` is known to the network only; expected this job itself \
                 ({array}_{index}), or `suanpan` on the submit host"
            )),
            _ => Ok(job.to_owned()),
        };
        let jobs: Result<Vec<String>, String> = value.split(',').map(one).collect();
        Ok(format!("{key}{}", jobs?.join(",")))
    }

    /// Whether these words of `scontrol` have this job requeued.
    fn is_requeued_by(&self, words: &[String]) -> bool {
        let mut plain = words.iter().filter(|word| !word.starts_with('-'));
        let verb = plain.next().map(|verb| verb.to_lowercase()).unwrap_or_default();
        let is_verb = verb.len() >= 3 && "requeuehold".starts_with(&verb);
        let is_own = |word: &String| word.split(',').any(|job| job == self.job);
        is_verb && plain.any(is_own)
    }
}

/// Runs the command of that name in place of this process.
#[must_use]
pub fn run(state_dir: &Path, program: &str, args: &[OsString]) -> ExitCode {
    let fail = |text: &str| {
        eprintln!("{program}: {text}");
        ExitCode::from(1)
    };
    let own = Own::of_environment();
    let mut words = Vec::with_capacity(args.len());
    for arg in args {
        let Some(word) = arg.to_str() else { return fail("an argument is not UTF-8 text") };
        match own.translated(word) {
            Ok(word) => words.push(word),
            Err(text) => return fail(&text),
        }
    }
    if program == "scontrol"
        && own.is_requeued_by(&words)
        && let Err(error) = allow_requeue(state_dir, &own.job)
    {
        return fail(&error.to_string());
    }
    let error = real(state_dir, program).args(&words).exec();
    eprintln!("{program}: {error}");
    ExitCode::from(127)
}

/// Slurm's command of that name.
fn real(state_dir: &Path, program: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // However it is spelled: what is found there leads here again.
    let bin = state_dir.join(BIN).canonicalize().ok();
    let others = std::env::split_paths(&path)
        .filter(|dir| dir.canonicalize().ok().is_none_or(|dir| Some(dir) != bin));
    let mut command = Command::new(program);
    if let Ok(path) = std::env::join_paths(others) {
        command.env("PATH", path);
    }
    command
}

/// Notes that the payload asks to be run again, and has Slurm allow it.
fn allow_requeue(state_dir: &Path, job: &str) -> io::Result<()> {
    let allocation = std::env::var("SUANPAN_ALLOCATION").unwrap_or_default();
    let dir = Dir(state_dir.join("allocations").join(allocation));
    let Some(launch) = dir.read::<Launch>(name::LAUNCH) else { return Ok(()) };
    match dir.create_mark(name::REQUEUE) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    if launch.site.requeue == Requeue::OnFailure {
        return Ok(());
    }
    let mut command = real(state_dir, "scontrol");
    command.args(["update", &format!("JobId={job}"), "Requeue=1"]);
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("this job cannot be requeued ({status})"))),
    }
}
