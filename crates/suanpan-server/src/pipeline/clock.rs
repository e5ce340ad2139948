//! The only place where the control plane reads the time, and the thread that lets it pass.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use suanpan_engine::command::{Caller, Command};
use suanpan_model::time::{Seconds, Timestamp};

use super::mode::Mode;
use super::{Failure, Shared};

/// The time now.
///
/// # Panics
/// If the machine's clock stands before 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the machine's clock stands after 1970-01-01");
    Timestamp(i64::try_from(since.as_micros()).expect("microseconds fit until the year 294000"))
}

/// How often the clock thread looks.
const TICK: Duration = Duration::from_secs(1);

/// After a full disk, the shortest and the longest time until writes are tried again.
const FULL_DISK_WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// Writes are tried again once so many bytes are free.
const FREE_BYTES_NEEDED: u64 = 32 << 20;

/// Lets threads wait that should end early at a stop.
#[derive(Default)]
pub(crate) struct StopSignal {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl StopSignal {
    pub(crate) fn set(&self) {
        *self.stopped.lock().expect("no thread panics while it holds the lock") = true;
        self.changed.notify_all();
    }

    /// Waits; says whether a stop was asked meanwhile.
    pub(crate) fn wait(&self, length: Duration) -> bool {
        let stopped = self.stopped.lock().expect("no thread panics while it holds the lock");
        let (stopped, _) = self
            .changed
            .wait_timeout_while(stopped, length, |stopped| !*stopped)
            .expect("no thread panics while it holds the lock");
        *stopped
    }
}

/// Lets time pass in the engine, notices agents that fell silent or came back, and looks whether a
/// full disk has room again.
pub(crate) struct ClockThread {
    shared: Arc<Shared>,
    full: Option<FullDisk>,
}

struct FullDisk {
    try_at: Instant,
    wait: Duration,
}

impl ClockThread {
    pub(crate) fn new(shared: Arc<Shared>) -> ClockThread {
        ClockThread { shared, full: None }
    }

    pub(crate) fn run(mut self, stop: &StopSignal) {
        let _guard = self.shared.mode.guard("clock");
        while !stop.wait(TICK) {
            self.look_at_disk();
            self.pass_time();
            self.record_contacts();
            self.withdraw_queued();
            self.shared.metrics.queue_depth.set(self.shared.queue_depth());
        }
    }

    fn pass_time(&self) {
        // Nothing that falls due is lost when a tick is: the next one finds it.
        if let Err(failure) = self.shared.command_blocking(Caller::System, Command::PassTime) {
            self.note(&failure, "let time pass");
        }
    }

    fn record_contacts(&self) {
        for observed in self.shared.hub.observe(Instant::now()) {
            let command = Command::RecordContact(observed.cluster, observed.contact);
            match self.shared.command_blocking(Caller::System, command) {
                Ok(_) => {}
                Err(failure) => self.note(&failure, "record contact with an agent"),
            }
        }
    }

    fn withdraw_queued(&self) {
        for (cluster, silent) in self.shared.hub.to_withdraw(Instant::now()) {
            let command = Command::WithdrawQueued(cluster, Seconds(silent.as_secs()));
            if let Err(failure) = self.shared.command_blocking(Caller::System, command) {
                self.note(&failure, "withdraw what waits at a silent site");
            }
        }
    }

    fn note(&self, failure: &Failure, doing: &str) {
        match failure {
            Failure::Rejected(rejection) => {
                tracing::warn!(%rejection, "could not {doing}");
            }
            _ => tracing::debug!(%failure, "could not {doing}"),
        }
    }

    fn look_at_disk(&mut self) {
        if self.shared.mode.get() != Mode::DiskFull {
            // Kept, so that a disk which fills up again at once is tried less and less often.
            if let Some(full) = &self.full
                && full.try_at.elapsed() > FULL_DISK_WAIT.1
            {
                self.full = None;
            }
            return;
        }
        let now = Instant::now();
        let full = self.full.get_or_insert(FullDisk { try_at: now, wait: FULL_DISK_WAIT.0 });
        if now < full.try_at || !has_room(&self.shared.data_dir) {
            return;
        }
        tracing::info!("trying to write again after the disk was full");
        full.wait = (full.wait * 2).min(FULL_DISK_WAIT.1);
        full.try_at = now + full.wait;
        self.shared.metrics.disk_full.set(0);
        self.shared.mode.disk_has_room();
    }
}

fn has_room(dir: &std::path::Path) -> bool {
    match nix::sys::statvfs::statvfs(dir) {
        Ok(stat) => stat.blocks_available() * stat.fragment_size() >= FREE_BYTES_NEEDED,
        // Where it cannot be told, trying tells.
        Err(_) => true,
    }
}
