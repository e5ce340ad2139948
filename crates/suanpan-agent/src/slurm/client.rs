//! Slurm's commands, each with a time limit: while a controller is away they hang and retry.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{AccessFlags, access};
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Longest that a question may take.
pub const ASK_LIMIT: Duration = Duration::from_secs(20);

/// Longest that a submission or a cancellation may take.
pub const ACT_LIMIT: Duration = Duration::from_secs(30);

/// Variables of the agent that the commands, and through `sbatch` the jobs, are given: what a
/// login of the account would have, and nothing that opens a door.
const PASSED: [&str; 14] = [
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "MANPATH",
    "MODULEPATH",
    "MODULESHOME",
    "PATH",
    "SHELL",
    "SLURM_CONF",
    "TZ",
    "USER",
    "XDG_DATA_DIRS",
];

/// Why a command gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The program cannot be started.
    Missing(String),
    /// It took too long and was ended.
    TimedOut(Duration),
    /// It failed; what it said on standard error.
    Failed(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Missing(why) => write!(f, "{why}"),
            Trouble::TimedOut(limit) => write!(f, "no answer in {} s", limit.as_secs()),
            Trouble::Failed(text) => write!(f, "{}", text.trim_end()),
        }
    }
}

/// Runs one command and answers its standard output.
///
/// # Errors
/// See [`Trouble`].
pub fn run(program: &str, words: &[String], limit: Duration) -> Result<String, Trouble> {
    run_both(program, words, limit).map(|[stdout, _]| stdout)
}

/// Runs one command and answers its standard output and its standard error.
///
/// # Errors
/// See [`Trouble`].
pub fn run_both(program: &str, words: &[String], limit: Duration) -> Result<[String; 2], Trouble> {
    let mut command = Command::new(located(program));
    command.args(words).env_clear().stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // A supervisor is to crash where a test wants it to.
    let crash = fail::has_failpoints().then_some("SUANPAN_CRASH_ONCE");
    for name in PASSED.into_iter().chain(crash) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if program == "squeue" {
        // Seconds since 1970, whatever the site's clock shows (squeue(1), strftime(3)).
        command.env("SLURM_TIME_FORMAT", "%s");
    }
    let missing = |error: io::Error| Trouble::Missing(format!("{program}: {error}"));
    let mut child = command.spawn().map_err(missing)?;
    let until = Instant::now() + limit;
    let stdout = child.stdout.take().map(OwnedFd::from);
    let mut pipes = [Pipe::of(stdout), Pipe::of(child.stderr.take().map(OwnedFd::from))];
    drain(&mut pipes, until);
    let Some(status) = wait(&mut child, until).map_err(missing)? else {
        return Err(Trouble::TimedOut(limit));
    };
    let [stdout, stderr] = pipes.map(|pipe| String::from_utf8_lossy(&pipe.said).into_owned());
    if status.success() { Ok([stdout, stderr]) } else { Err(Trouble::Failed(stderr)) }
}

/// Where a command is. A name without a path, run with an environment of its own, would have the
/// standard library copy this whole process to look for it.
fn located(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|place| place.join(program));
    places.find(|place| access(place, AccessFlags::X_OK).is_ok()).unwrap_or_else(|| program.into())
}

/// What a command says on one of its outputs; without a file once it closed that.
struct Pipe {
    file: Option<File>,
    said: Vec<u8>,
}

impl Pipe {
    fn of(end: Option<OwnedFd>) -> Pipe {
        Pipe { file: end.map(File::from), said: Vec::new() }
    }

    fn read(&mut self) {
        let mut part = [0; 8192];
        let Some(file) = &mut self.file else { return };
        match file.read(&mut part) {
            // What was read before an error is as good as there is.
            Ok(0) | Err(_) => self.file = None,
            Ok(count) => self.said.extend_from_slice(&part[..count]),
        }
    }
}

/// Reads both outputs of a command as it writes them, so that none fills up, until it closed both
/// or until then. By this thread alone: one command a job is run, and threads cost as much.
fn drain(pipes: &mut [Pipe; 2], until: Instant) {
    loop {
        let ends = pipes.iter().filter_map(|pipe| pipe.file.as_ref());
        let mut polled: Vec<PollFd<'_>> =
            ends.map(|end| PollFd::new(end.as_fd(), PollFlags::POLLIN)).collect();
        if polled.is_empty() {
            return;
        }
        let left = until.saturating_duration_since(Instant::now());
        match poll(&mut polled, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
            Err(Errno::EINTR) => continue,
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let ready: Vec<bool> = polled.iter().map(|end| end.any() == Some(true)).collect();
        let open = pipes.iter_mut().filter(|pipe| pipe.file.is_some());
        for (pipe, _) in open.zip(ready).filter(|(_, ready)| *ready) {
            pipe.read();
        }
    }
}

/// Waits for a command; ends it, and answers nothing, if it is not over then.
fn wait(child: &mut Child, until: Instant) -> io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Words of a command line.
#[must_use]
pub fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended() {
        let limit = Duration::from_millis(200);
        let answer = run("sleep", &words(&["60"]), limit);
        assert_eq!(answer, Err(Trouble::TimedOut(limit)));
        assert_eq!(run("echo", &words(&["a b"]), ASK_LIMIT), Ok("a b\n".to_owned()));
        let failed = run("ls", &words(&["/no/such/file"]), ASK_LIMIT);
        assert!(matches!(failed, Err(Trouble::Failed(text)) if text.contains("/no/such/file")));
        assert!(matches!(run("no-such-program", &[], ASK_LIMIT), Err(Trouble::Missing(_))));
    }
}
