//! Daemons that outlive the program that started them, known by number and time of start.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longest until all of a place stands still.
const FREEZING: Duration = Duration::from_secs(5);

/// The daemons of a lab, each recorded in a file with its process number and its time of start,
/// so that a number used again is never signalled.
#[derive(Clone, Debug)]
pub struct Daemons {
    dir: PathBuf,
}

impl Daemons {
    /// The daemons recorded below this directory.
    #[must_use]
    pub fn of(lab: &Path) -> Daemons {
        Daemons { dir: lab.to_owned() }
    }

    fn record(&self, name: &str) -> PathBuf {
        self.dir.join("run").join(format!("{name}.pid"))
    }

    /// Names of all that are recorded.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.join("run")).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| {
            Some(entry.file_name().to_str()?.strip_suffix(".pid")?.to_owned())
        };
        let mut names: Vec<String> = entries.filter_map(name).collect();
        names.sort();
        names
    }

    /// The process of a daemon, if it lives.
    #[must_use]
    pub fn alive(&self, name: &str) -> Option<i32> {
        let text = fs::read_to_string(self.record(name)).ok()?;
        let (pid, start) = text.trim().split_once(' ')?;
        let pid = pid.parse().ok()?;
        (started(pid)? == start).then_some(pid)
    }

    /// Starts one, unless it lives. The command must become the daemon by exec alone.
    ///
    /// # Errors
    /// If it cannot be started or recorded.
    pub fn start(&self, name: &str, mut command: Command) -> io::Result<()> {
        if self.alive(name).is_some() {
            return Ok(());
        }
        let log = self.dir.join("log").join(format!("{name}.out"));
        let log: File = OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).process_group(0);
        let mut child = command.spawn()?;
        let pid = i32::try_from(child.id()).unwrap_or(0);
        let start = started(pid).unwrap_or_default();
        // The dead must not stay as zombies: for each job Slurm reads every process of the machine
        // several times. Not before its start was read, or the number could be another's.
        std::thread::spawn(move || child.wait());
        fs::write(self.record(name), format!("{pid} {start}\n"))
    }

    /// Ends one with a signal, and with KILL if it takes longer than that.
    ///
    /// # Errors
    /// If its record cannot be removed.
    pub fn stop(&self, name: &str, signal: Signal, patience: Duration) -> io::Result<()> {
        if let Some(pid) = self.alive(name) {
            let _ = kill(Pid::from_raw(pid), signal);
            if !self.await_end(name, patience) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                self.await_end(name, patience);
            }
        }
        match fs::remove_file(self.record(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Sends a signal to one that lives.
    pub fn signal(&self, name: &str, signal: Signal) {
        if let Some(pid) = self.alive(name) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    fn await_end(&self, name: &str, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        while self.alive(name).is_some() {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }
}

/// Stops every process that a place lists, and lists again until it finds none that runs: killed
/// one after the other, a parent would outlive its child for a moment and tell of its death.
pub fn freeze(inside: impl Fn() -> Vec<Pid>) {
    let until = Instant::now() + FREEZING;
    loop {
        let running: Vec<Pid> = inside().into_iter().filter(|pid| runs(*pid)).collect();
        if running.is_empty() || Instant::now() > until {
            return;
        }
        for pid in running {
            let _ = kill(pid, Signal::SIGSTOP);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process may still do something: it is neither stopped nor over (proc(5), field 3 of
/// `stat`).
fn runs(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !['T', 't', 'Z', 'X'].contains(&state))
}

/// When a process was started, as a number to sort by.
#[must_use]
pub fn start_of(pid: Pid) -> u64 {
    started(pid.as_raw()).and_then(|start| start.parse().ok()).unwrap_or(0)
}

/// When a process was started, in the kernel's clock ticks; nothing for one that is gone or a
/// zombie (proc(5), fields 3 and 22 of `stat`).
fn started(pid: i32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18).map(str::to_owned)
}
