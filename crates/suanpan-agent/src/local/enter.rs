//! A step between `fork` and the user's program: joins control groups and unblocks signals, then
//! becomes the program.

use nix::sys::signal::SigSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The hidden verb's arguments that come before the program.
#[must_use]
pub fn arguments(joins: &[PathBuf]) -> Vec<OsString> {
    let mut words = vec![OsString::from("enter")];
    words.extend(joins.iter().map(OsString::from));
    words.push("--".into());
    words
}

/// Runs the verb: group files, `--`, program, arguments. Returns only if the program could not be
/// started: 127 if it does not exist, else 126.
#[must_use]
pub fn enter(args: &[OsString]) -> ExitCode {
    let Some(end) = args.iter().position(|word| word == "--") else { return ExitCode::from(125) };
    let (joins, rest) = (&args[..end], &args[end + 1..]);
    let Some((program, arguments)) = rest.split_first() else { return ExitCode::from(125) };
    for file in joins {
        // A program that would run without its limits is not run at all.
        if let Err(error) = std::fs::write(file, "0") {
            eprintln!("suanpan: cannot join the job's group {}: {error}", file.display());
            return ExitCode::from(125);
        }
    }
    if let Err(error) = SigSet::empty().thread_set_mask() {
        eprintln!("suanpan: cannot unblock signals: {error}");
        return ExitCode::from(125);
    }
    let error = Command::new(program).args(arguments).exec();
    eprintln!("suanpan: cannot run {}: {error}", program.to_string_lossy());
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}
