//! The gate: a tiny process that starts the payload when its supervisor says so, waits for it and
//! writes down how it ended.
//!
//! It exists so that two things are certain. Until the supervisor has "started" on disk and sends
//! one byte, no user code runs: if the supervisor dies first, the pipe closes and the gate ends.
//! And as the payload's parent it knows the exit code even if the supervisor dies while it runs.

use super::files::{Code, Dir, GateEnd, PayloadStart, now};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// What a gate is to start (`plan.json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadPlan {
    /// Program: a path, or a name to be found along the job's own `PATH`.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub workdir: PathBuf,
    /// Standard input; nothing if absent.
    pub stdin: Option<PathBuf>,
}

/// Name of the lock that a gate holds for its whole life.
pub const LOCK: &str = "gate.lock";

/// Empty file that says that the gate has its lock.
pub const READY: &str = "gate.ready";

/// Becomes the gate of the allocation in `dir`; ends the process.
pub fn gate(dir: &Path) -> ! {
    let dir = Dir(dir.to_owned());
    let code = match wait_and_run(&dir) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("suanpan gate: {}: {error}", dir.0.display());
            1
        }
    };
    std::process::exit(code)
}

fn wait_and_run(dir: &Dir) -> io::Result<()> {
    let Some(_lock) = dir.try_lock(LOCK)? else {
        return Err(io::Error::other("another gate is there"));
    };
    let plan: PayloadPlan =
        dir.read("plan.json").ok_or_else(|| io::Error::other("no plan.json"))?;
    // Only now may the supervisor write "started": whoever takes over from it sees the lock held.
    File::create(dir.file(READY))?;
    let mut release = [0u8; 1];
    let ended = match io::stdin().read(&mut release) {
        Ok(1) => run_payload(dir, &plan),
        _ => GateEnd::NeverReleased,
    };
    let used = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let micros = |time: nix::sys::time::TimeVal| {
        u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0)
    };
    let code = Code {
        at: now(),
        ended,
        cpu_us: micros(used.user_time()) + micros(used.system_time()),
        memory_peak_bytes: u64::try_from(used.max_rss()).unwrap_or(0) * 1024,
    };
    dir.write("code.json", &code)
}

fn run_payload(dir: &Dir, plan: &PayloadPlan) -> GateEnd {
    let stdin = match &plan.stdin {
        None => Stdio::null(),
        Some(path) => match File::open(path) {
            Ok(file) => file.into(),
            Err(error) => return GateEnd::StartFailed(format!("{}: {error}", path.display())),
        },
    };
    let program = find(plan);
    let spawned = Command::new(&program)
        .args(&plan.args)
        .env_clear()
        .envs(&plan.env)
        .current_dir(&plan.workdir)
        .stdin(stdin)
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => {
            return GateEnd::StartFailed(format!("cannot run {}: {error}", program.display()));
        }
    };
    let pid = i32::try_from(child.id()).unwrap_or(0);
    if let Err(error) = dir.write_unsynced("payload.json", &PayloadStart { pid, at: now() }) {
        eprintln!("suanpan gate: payload.json: {error}");
    }
    match child.wait() {
        Ok(status) => ended(status),
        Err(error) => GateEnd::StartFailed(format!("cannot wait for the payload: {error}")),
    }
}

fn ended(status: ExitStatus) -> GateEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => GateEnd::Exited(u8::try_from(code & 255).unwrap_or(255)),
        (None, Some(signal)) => GateEnd::Signalled(u8::try_from(signal).unwrap_or(0)),
        (None, None) => GateEnd::Exited(255),
    }
}

/// The program's path. A name is looked up here and not by the C library, which would give a file
/// of an unknown format to a shell instead of refusing it.
fn find(plan: &PayloadPlan) -> PathBuf {
    if plan.program.components().count() > 1 || plan.program.is_absolute() {
        return plan.workdir.join(&plan.program);
    }
    let path = plan.env.get("PATH").map(String::as_str).unwrap_or_default();
    let candidates = path.split(':').map(|part| plan.workdir.join(part).join(&plan.program));
    let executable = |candidate: &PathBuf| {
        candidate.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    candidates.into_iter().find(executable).unwrap_or_else(|| plan.program.clone())
}
