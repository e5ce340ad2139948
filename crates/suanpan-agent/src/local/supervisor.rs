//! The supervisor: one process for each job, in a session of its own, that outlives the agent.
//!
//! It holds `lock` for its whole life, so whether a job is supervised is a question that no
//! reused process number can answer wrongly. A supervisor that finds the start fence of another
//! one that died takes over: it watches the gate by the gate's lock and finishes the job.

use super::cgroup::JobGroups;
use super::files::{Assignment, Code, Dir, Exit, GateEnd, PayloadStart, now};
use super::stage::{self, Staged};
use super::{gate, processes, watch};
use crate::data::board;
use crate::failpoint;
use nix::fcntl::Flock;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use suanpan_model::job::{End, Launch, PayloadReach, Usage};
use suanpan_model::walltime::Walltime;
use suanpan_site::report::Outcome;

/// Name of the lock that a supervisor holds for its whole life.
pub const LOCK: &str = "lock";

/// A gate needs milliseconds; on a machine that needs longer than this nothing can be run.
const GATE_READY_MAX: Duration = Duration::from_secs(60);

/// Becomes the supervisor of the allocation in `dir`; ends the process.
pub fn supervise(dir: &Path) -> ! {
    failpoint::set_up();
    // It fails only for a process that leads a group already, and then there is nothing to leave.
    let _ = nix::unistd::setsid();
    let code = match supervise_dir(&Dir(dir.to_owned())) {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("suanpan supervise: {}: {error}", dir.display());
            1
        }
    };
    std::process::exit(code)
}

fn supervise_dir(dir: &Dir) -> io::Result<()> {
    let Some(_lock) = patient_lock(dir)? else { return Ok(()) };
    if dir.has("exit.json") {
        return Ok(());
    }
    let missing = |name: &str| io::Error::other(format!("{name} is missing or not whole"));
    let assignment: Assignment = dir.read("order.json").ok_or_else(|| missing("order.json"))?;
    let launch: Launch = dir.read("launch.json").ok_or_else(|| missing("launch.json"))?;
    let groups = JobGroups::of(&assignment.cgroups, &super::group_name(&assignment));
    let job = Job { dir: dir.clone(), assignment, launch, groups };
    if dir.marked("start").is_some() { job.take_over() } else { job.begin() }
}

/// The lock, waiting a moment for an agent that only looks whether it is held.
fn patient_lock(dir: &Dir) -> io::Result<Option<Flock<File>>> {
    for _ in 0..40 {
        if let Some(lock) = dir.try_lock(LOCK)? {
            return Ok(Some(lock));
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    Ok(None)
}

/// One job under supervision.
pub struct Job {
    /// Its directory.
    pub dir: Dir,
    /// What was ordered.
    pub assignment: Assignment,
    /// What is launched.
    pub launch: Launch,
    /// Its control groups.
    pub groups: JobGroups,
}

impl Job {
    fn begin(&self) -> io::Result<()> {
        if self.dir.marked("stop").is_some() {
            return self.finish(never_started(End::Cancelled, String::new()));
        }
        self.dir.create_mark(&format!("start.{}", self.assignment.order.generation))?;
        failpoint::reached("supervisor-after-fence");
        let run = self.assignment.run()?;
        if let Err(error) = self.groups.create(run.nodes.len().max(1), &run.per_node) {
            let message = format!("the site could not set the job's limits: {error}");
            return self.finish(never_started(End::StartFailed, message));
        }
        let staged = match stage::stage(&self.dir, &self.assignment, run, &self.launch) {
            Ok(staged) => staged,
            Err(_) if self.dir.marked("stop").is_some() => {
                return self.finish(never_started(End::Cancelled, String::new()));
            }
            Err(trouble) => return self.finish(never_started(End::StartFailed, trouble.0)),
        };
        let mut gate = self.spawn_gate(staged)?;
        failpoint::reached("supervisor-before-release");
        if self.dir.marked("stop").is_none() && self.gate_is_ready(&mut gate)? {
            self.dir.create_mark("started")?;
            if let Some(mut pipe) = gate.stdin.take() {
                pipe.write_all(b"g")?;
            }
        }
        drop(gate.stdin.take());
        self.crash_once_it_runs();
        self.conclude(watch::watch(self, watch::Gate::Child(gate))?)
    }

    fn spawn_gate(&self, staged: Staged) -> io::Result<Child> {
        self.dir.write_unsynced("plan.json", &staged.plan)?;
        let child = Command::new(&self.assignment.exe)
            .arg("gate")
            .arg(&self.dir.0)
            .env_clear()
            .process_group(0)
            .stdin(std::process::Stdio::piped())
            .stdout(staged.stdout)
            .stderr(staged.stderr)
            .spawn()?;
        for file in self.groups.joins(0) {
            std::fs::write(&file, child.id().to_string()).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", file.display()))
            })?;
        }
        Ok(child)
    }

    /// Waits until the gate holds its lock; false if it ended before that.
    fn gate_is_ready(&self, gate: &mut Child) -> io::Result<bool> {
        let begun = Instant::now();
        while !self.dir.has(gate::READY) {
            if gate.try_wait()?.is_some() {
                return Ok(false);
            }
            if begun.elapsed() > GATE_READY_MAX {
                return Err(io::Error::other("the gate does not get ready"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(true)
    }

    /// The failpoint after the start means: the payload surely runs.
    fn crash_once_it_runs(&self) {
        if fail::has_failpoints() {
            let begun = Instant::now();
            while !self.dir.has("payload.json")
                && !self.dir.has("code.json")
                && begun.elapsed() < Duration::from_secs(5)
            {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        failpoint::reached("supervisor-after-start");
    }

    fn take_over(&self) -> io::Result<()> {
        eprintln!("suanpan supervise: taking over from a supervisor that is gone");
        self.conclude(watch::watch(self, watch::Gate::Orphan)?)
    }

    /// The gate is gone: ends what is left of the job and writes down how it ended.
    fn conclude(&self, killed_for_memory: watch::MemoryKill) -> io::Result<()> {
        let left = processes::kill_all(&self.dir.0, &self.groups, &[]);
        if left > 0 {
            eprintln!("suanpan supervise: {left} processes of the job do not die");
        }
        let code: Option<Code> = self.dir.read("code.json");
        let start: Option<PayloadStart> = self.dir.read("payload.json");
        let oom = killed_for_memory == watch::MemoryKill::Killed || self.groups.oom_kills() > 0;
        let mut outcome = self.judge(code.as_ref(), oom);
        outcome.usage = self.usage(code.as_ref(), start.as_ref());
        if outcome.payload == PayloadReach::Started
            && let Err(trouble) = stage::copy_back(&self.dir, &self.launch)
        {
            let separator = if outcome.message.is_empty() { "" } else { "; " };
            outcome.message = format!("{}{separator}{}", outcome.message, trouble.0);
        }
        self.finish(outcome)
    }

    fn judge(&self, code: Option<&Code>, oom: bool) -> Outcome {
        let ending: Option<End> = self.dir.read("ending.json");
        let started = self.dir.has("started");
        let message = |text: &str| text.to_owned();
        let (end, payload, message) = match code.map(|code| &code.ended) {
            Some(GateEnd::StartFailed(why)) => {
                (End::StartFailed, PayloadReach::NeverStarted, why.clone())
            }
            Some(GateEnd::NeverReleased) if self.dir.marked("stop").is_some() => {
                (End::Cancelled, PayloadReach::NeverStarted, String::new())
            }
            Some(GateEnd::NeverReleased) => {
                let why = message("the supervisor died before the payload was started");
                (End::Lost, PayloadReach::NeverStarted, why)
            }
            None if !started => {
                let why = message("the supervisor died before the payload was started");
                (ending.unwrap_or(End::Lost), PayloadReach::NeverStarted, why)
            }
            _ if ending.is_some() => {
                (ending.unwrap_or(End::Cancelled), PayloadReach::Started, String::new())
            }
            _ if oom => {
                let limit = self.assignment.run().map(|run| run.per_node.memory.to_string());
                let why = format!(
                    "killed for memory; its limit was {} per node",
                    limit.unwrap_or_default()
                );
                (End::OutOfMemory, PayloadReach::Started, why)
            }
            Some(GateEnd::Exited(code)) => {
                (End::Exited { code: *code }, PayloadReach::Started, String::new())
            }
            Some(GateEnd::Signalled(signal)) => {
                (End::Signalled { signal: *signal }, PayloadReach::Started, String::new())
            }
            None => {
                let why = message("the process that waited for the payload was killed");
                (End::Lost, PayloadReach::Started, why)
            }
        };
        Outcome { end, payload, usage: Usage::default(), message }
    }

    fn usage(&self, code: Option<&Code>, start: Option<&PayloadStart>) -> Usage {
        let (cpu, memory) = self.groups.usage();
        let ended_at = code.map_or_else(now, |code| code.at);
        Usage {
            wall_us: start.map_or(0, |start| ended_at.micros_since(start.at)),
            cpu_us: cpu.or(code.map(|code| code.cpu_us)).unwrap_or(0),
            memory_peak_bytes: memory.or(code.map(|code| code.memory_peak_bytes)).unwrap_or(0),
        }
    }

    fn finish(&self, outcome: Outcome) -> io::Result<()> {
        let code: Option<Code> = self.dir.read("code.json");
        let start: Option<PayloadStart> = self.dir.read("payload.json");
        let acted_on = self.assignment.order.generation;
        let exit = Exit {
            generation: self.dir.marked("stop").map_or(acted_on, |stop| stop.max(acted_on)),
            started_at: start.map(|start| start.at),
            at: code.map_or_else(now, |code| code.at),
            outcome,
        };
        board::note_outputs(&self.dir, &self.launch, &exit.outcome)?;
        let _ = std::fs::remove_dir_all(self.dir.file("tmp"));
        failpoint::reached("supervisor-before-exit-file");
        self.dir.write("exit.json", &exit)?;
        failpoint::reached("supervisor-after-exit-file");
        self.groups.remove();
        Ok(())
    }
}

fn never_started(end: End, message: String) -> Outcome {
    Outcome { end, payload: PayloadReach::NeverStarted, usage: Usage::default(), message }
}

/// Waits for `setup`, ending it if the job is stopped or it takes longer than the job may run.
///
/// # Errors
/// If it was ended, or the system refuses.
pub fn wait_for_setup(dir: &Dir, mut child: Child, limit: Walltime) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + Duration::from_secs(u64::from(limit.seconds()));
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let stopped = dir.marked("stop").is_some();
        if stopped || Instant::now() > deadline {
            processes::signal_group(i32::try_from(child.id()).unwrap_or(0), 9);
            child.wait()?;
            let why = if stopped { "it was stopped" } else { "it reached the job's time limit" };
            return Err(io::Error::other(why));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
