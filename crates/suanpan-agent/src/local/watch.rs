//! What a supervisor does while the payload runs: time limit, warning signal, requests to stop,
//! and memory where no control group limits it.

use super::files::{PayloadStart, now};
use super::supervisor::Job;
use super::{gate, processes};
use nix::fcntl::Flock;
use std::io;
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};
use suanpan_model::job::{End, Source};
use suanpan_model::signal::SignalTarget;

/// How a supervisor learns that the gate is gone.
pub enum Gate {
    /// It is a child of this process.
    Child(Child),
    /// It belongs to a supervisor that died; its lock tells.
    Orphan,
}

/// Whether the supervisor itself had to kill the job for memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryKill {
    /// It was not necessary, or the kernel sees to it.
    None,
    /// The limit was passed.
    Killed,
}

/// The longest time in which a request to stop goes unnoticed.
const PERIOD: Duration = Duration::from_millis(50);

/// Mark of the agent: the payload is to be told that it will be stopped for another job.
pub const WARN: &str = "warn";

/// Mark of the supervisor: it was told.
const WARN_SENT: &str = "warn.sent";

/// How often memory is looked at where the kernel does not limit it.
const MEMORY_PERIOD: Duration = Duration::from_secs(1);

/// Stays until the gate is gone.
///
/// # Errors
/// If the directory can no longer be used.
pub fn watch(job: &Job, gate: Gate) -> io::Result<MemoryKill> {
    let mut watch = Watch::new(job);
    let waiter = match gate {
        Gate::Child(child) => Some(wait_in_thread(child)),
        Gate::Orphan => None,
    };
    loop {
        let gone = match &waiter {
            Some(ended) => !matches!(ended.recv_timeout(PERIOD), Err(RecvTimeoutError::Timeout)),
            None => {
                std::thread::sleep(PERIOD);
                job.dir.try_lock(gate::LOCK)?.map(Flock::unlock).is_some()
            }
        };
        if gone {
            return Ok(watch.memory);
        }
        watch.tick()?;
    }
}

fn wait_in_thread(mut child: Child) -> Receiver<()> {
    let (sender, receiver) = sync_channel(1);
    std::thread::spawn(move || {
        let _ = child.wait();
        let _ = sender.send(());
    });
    receiver
}

struct Watch<'a> {
    job: &'a Job,
    payload: Option<Running>,
    ending: Option<Ending>,
    memory: MemoryKill,
    memory_seen: Instant,
}

/// A payload that runs, on this process's monotonic clock.
struct Running {
    pid: i32,
    deadline: Instant,
    warn_at: Option<Instant>,
}

/// The job was asked to end; it is killed when its grace is over.
struct Ending {
    kill_at: Instant,
    kills: u32,
}

impl<'a> Watch<'a> {
    fn new(job: &'a Job) -> Watch<'a> {
        let memory_seen = Instant::now();
        Watch { job, payload: None, ending: None, memory: MemoryKill::None, memory_seen }
    }

    fn tick(&mut self) -> io::Result<()> {
        if self.payload.is_none() {
            self.payload = self.find_payload()?;
        }
        if self.ending.is_none() && self.job.dir.marked("stop").is_some() {
            self.end(End::Cancelled)?;
        }
        if self.ending.is_none() && self.payload.is_some() && self.job.dir.has(WARN) {
            self.give_notice()?;
        }
        let time = Instant::now();
        if let Some(running) = &self.payload {
            if running.warn_at.is_some_and(|at| time >= at) && self.ending.is_none() {
                self.warn()?;
            }
            let over = self.payload.as_ref().is_some_and(|running| time >= running.deadline);
            if over && self.ending.is_none() {
                self.end(End::TimedOut)?;
            }
        }
        if let Some(ending) = &mut self.ending
            && time >= ending.kill_at
        {
            // The gate is spared, so that it can still write the code down.
            ending.kill_at = time + Duration::from_millis(200);
            ending.kills += 1;
            let spare = if ending.kills > 25 { Vec::new() } else { self.gate_pids() };
            processes::kill_all(&self.job.dir.0, &self.job.groups, &spare);
        }
        self.watch_memory();
        Ok(())
    }

    fn find_payload(&self) -> io::Result<Option<Running>> {
        let Some(start) = self.job.dir.read::<PayloadStart>("payload.json") else {
            return Ok(None);
        };
        let limit = Duration::from_secs(u64::from(self.job.assignment.run()?.time_limit.seconds()));
        let ran = Duration::from_micros(now().micros_since(start.at));
        let deadline = Instant::now() + limit.saturating_sub(ran);
        let lead =
            self.job.launch.signal.map(|signal| Duration::from_secs(signal.seconds_before.into()));
        let warned = self.job.dir.has("warned");
        let warn_at = lead
            .filter(|_| !warned)
            .map(|lead| deadline.checked_sub(lead).unwrap_or_else(Instant::now));
        Ok(Some(Running { pid: start.pid, deadline, warn_at }))
    }

    /// Sends the signal the job asked for before its time is over.
    fn warn(&mut self) -> io::Result<()> {
        let Some(running) = &mut self.payload else { return Ok(()) };
        running.warn_at = None;
        let pid = running.pid;
        let Some(spec) = self.job.launch.signal else { return Ok(()) };
        self.job.dir.write_unsynced("warned", &())?;
        let signal = i32::from(spec.signal.number());
        match (spec.to, self.job.launch.source) {
            (SignalTarget::BatchScript, _) => {
                processes::signal_one(pid, signal);
            }
            // As in Slurm: the tasks of the steps, through the `srun` that started them.
            (SignalTarget::Steps, Source::Sbatch) => {
                for step in processes::steps_of_job(&self.job.dir.0) {
                    processes::signal_one(step, signal);
                }
            }
            (SignalTarget::Steps, Source::Yaml | Source::Command) => {
                processes::signal_group(pid, signal);
            }
        }
        Ok(())
    }

    /// Tells the job, once, that it will be stopped for another. As Slurm does at the beginning of
    /// the grace time ("Preemption", `preempt.html`): SIGCONT and SIGTERM; where the job asked for
    /// a signal with `--signal` that one instead (`PreemptParameters=send_user_signal`).
    fn give_notice(&mut self) -> io::Result<()> {
        if self.job.dir.has(WARN_SENT) {
            return Ok(());
        }
        self.job.dir.write_unsynced(WARN_SENT, &())?;
        let Some(running) = &self.payload else { return Ok(()) };
        let pid = running.pid;
        processes::signal_group(pid, 18);
        match self.job.launch.signal {
            Some(_) if !self.job.dir.has("warned") => self.warn(),
            _ => {
                processes::signal_group(pid, 15);
                Ok(())
            }
        }
    }

    /// Asks the job to end and starts its grace.
    fn end(&mut self, end: End) -> io::Result<()> {
        self.job.dir.write("ending.json", &end)?;
        let grace = Duration::from_secs(self.job.assignment.grace_s.into());
        self.ending = Some(Ending { kill_at: Instant::now() + grace, kills: 0 });
        if let Some(running) = &self.payload {
            processes::signal_group(running.pid, 15);
            // A stopped process would not see it otherwise.
            processes::signal_group(running.pid, 18);
        }
        Ok(())
    }

    fn gate_pids(&self) -> Vec<i32> {
        processes::gates_of_job(&self.job.dir.0)
    }

    fn watch_memory(&mut self) {
        if self.job.groups.limits_memory() || self.memory_seen.elapsed() < MEMORY_PERIOD {
            return;
        }
        self.memory_seen = Instant::now();
        let Ok(run) = self.job.assignment.run() else { return };
        let limit = run
            .per_node
            .memory
            .bytes()
            .unwrap_or(u64::MAX)
            .saturating_mul(run.nodes.len().max(1) as u64);
        if limit > 0 && processes::memory_of(&self.job.dir.0) > limit {
            self.memory = MemoryKill::Killed;
            processes::kill_all(&self.job.dir.0, &self.job.groups, &self.gate_pids());
        }
    }
}
