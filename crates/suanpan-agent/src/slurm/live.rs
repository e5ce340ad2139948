//! What the agent remembers of one allocation, and what it finds out about it.

use super::judge::{Over, Stage, Stop, View};
use super::mark::Mark;
use super::parse::{self, QueueRow, SlurmState};
use super::store::{self, Submission, name};
use super::submit;
use crate::local::files::{Dir, PayloadStart, now};
use crate::local::stage;
use std::fs::File;
use std::time::{Duration, Instant, SystemTime};
use suanpan_model::job::{Launch, Requeue};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// How often the fence of a job is looked for that should only be waiting.
const FENCE_PERIOD: Duration = Duration::from_secs(10);

/// How often the file is looked at that the supervisor of a running job touches.
const BEAT_PERIOD: Duration = Duration::from_secs(10);

/// What was seen of the file that a supervisor touches.
pub(super) struct Beat {
    touched: Option<SystemTime>,
    changed: Instant,
    looked: Option<Instant>,
}

/// What this process remembers of an allocation that is not over; the rest is in its directory.
pub(super) struct Live {
    pub(super) mark: Mark,
    pub(super) requeue: Requeue,
    pub(super) per_node: Tres,
    pub(super) submission: Option<Submission>,
    pub(super) in_flight: bool,
    pub(super) settled: Option<Instant>,
    pub(super) stop: Stop,
    pub(super) warned: bool,
    pub(super) stage: Stage,
    pub(super) since: Instant,
    pub(super) fence: bool,
    pub(super) fence_at: Option<Instant>,
    pub(super) started: Option<Timestamp>,
    pub(super) beat: Beat,
    pub(super) cancelled: Option<Instant>,
    pub(super) reason: String,
    pub(super) born: Instant,
    pub(super) shown: bool,
}

impl Live {
    pub(super) fn new(mark: Mark, launch: &Launch, per_node: Tres) -> Live {
        let born = Instant::now();
        Live {
            mark,
            requeue: launch.site.requeue,
            per_node,
            submission: None,
            in_flight: false,
            settled: None,
            stop: Stop::No,
            warned: false,
            stage: Stage::Unknown,
            since: born,
            fence: false,
            fence_at: None,
            started: None,
            beat: Beat { touched: None, changed: born, looked: None },
            cancelled: None,
            reason: String::new(),
            born,
            shown: false,
        }
    }
}

pub(super) fn fresh(is_fresh: bool) -> View {
    if is_fresh { View::Fresh } else { View::Stale }
}

pub(super) fn is_live(row: &QueueRow) -> bool {
    !matches!(row.state, SlurmState::Over(_))
}

/// Of several rows of one mark the one that has come furthest.
pub(super) fn live_row(rows: &[QueueRow]) -> Option<&QueueRow> {
    let running = rows.iter().find(|row| is_live(row) && row.state != SlurmState::Pending);
    running.or_else(|| rows.iter().find(|row| is_live(row)))
}

/// Rows that a repeated submission left over: waiting ones beside the one that counts.
pub(super) fn spare(rows: &[QueueRow]) -> Vec<u64> {
    let Some(kept) = live_row(rows) else { return Vec::new() };
    let spare = rows.iter().filter(|row| row.id != kept.id && row.state == SlurmState::Pending);
    spare.map(|row| row.id).collect()
}

pub(super) fn over_of(rows: &[QueueRow], account: Option<&parse::AccountRow>) -> Option<Over> {
    let over = |state| match state {
        SlurmState::Over(end) => Some(end),
        _ => None,
    };
    let told = account.and_then(|row| {
        let code = Some((row.code, row.signal));
        Some(Over { end: over(row.state)?, code, elapsed_s: row.elapsed_s })
    });
    let queued = rows.iter().rev().find_map(|row| over(row.state));
    told.or(queued.map(|end| Over { end, code: None, elapsed_s: 0 }))
}

impl Live {
    /// Looks for the fence, rarely for a job that should only be waiting.
    pub(super) fn look_for_fence(&mut self, dir: &Dir, rows: &[QueueRow]) {
        let waits = live_row(rows).is_some_and(|row| {
            row.state == SlurmState::Pending
                && matches!(row.reason.as_str(), "Priority" | "Resources" | "None")
        });
        let rested = self.fence_at.is_none_or(|at| at.elapsed() > FENCE_PERIOD);
        if !self.fence && (!waits || rested) {
            self.fence_at = Some(Instant::now());
            self.fence = dir.has(&store::fence(self.mark.generation));
        }
        if self.fence && self.started.is_none() {
            // It is told before the payload runs; the exit file has the exact time later.
            let payload = dir.read::<PayloadStart>(name::PAYLOAD).map(|start| start.at);
            self.started = Some(payload.unwrap_or_else(now));
        }
    }

    /// Looks whether the payload asked Slurm to run it again, where that makes a difference: its
    /// job waits though it began, or its end is there.
    pub(super) fn look_for_requeue(&mut self, dir: &Dir, rows: &[QueueRow]) {
        let waits = live_row(rows).is_some_and(|row| row.state == SlurmState::Pending);
        let matters =
            waits || matches!(self.stage, Stage::Doubtful | Stage::Exited) || dir.has(name::EXIT);
        if self.fence && self.requeue == Requeue::Never && matters && dir.has(name::REQUEUE) {
            self.requeue = Requeue::OnFailure;
        }
    }

    /// How long the supervisor has not touched its file, by this machine's clock alone. A job that
    /// Slurm shows as running is asked rarely, and only once its payload began.
    pub(super) fn silent(&mut self, dir: &Dir) -> Duration {
        let doubtful = matches!(self.stage, Stage::Astray | Stage::Missing);
        if !self.fence || !(doubtful || self.stage == Stage::Running) {
            return Duration::ZERO;
        }
        if doubtful || self.beat.looked.is_none_or(|at| at.elapsed() > BEAT_PERIOD) {
            self.beat.looked = Some(Instant::now());
            // Opened, because NFS asks the server for the time only then.
            let file = File::open(dir.file(name::ALIVE)).and_then(|file| file.metadata());
            let touched = file.and_then(|found| found.modified()).ok();
            if touched != self.beat.touched {
                (self.beat.touched, self.beat.changed) = (touched, Instant::now());
            }
        }
        if !doubtful && self.beat.touched.is_none() {
            return Duration::ZERO;
        }
        self.beat.changed.max(self.since).elapsed()
    }
}

/// Where the job's files go. What only Slurm knows, the node's name, stays its `%N`.
pub(super) fn files(
    dir: &Dir,
    run: &suanpan_site::order::RunOrder,
    launch: &Launch,
) -> Result<submit::Files, stage::Trouble> {
    const NODE: &str = "\u{1}node\u{1}";
    let workdir = stage::workdir(dir, launch);
    let path = |pattern: &String| {
        let path = stage::named_on(pattern, run, &workdir, NODE)?;
        let text = path.display().to_string();
        Ok(text.replace('%', "%%").replace(NODE, "%N"))
    };
    let maybe = |pattern: &Option<String>| pattern.as_ref().map(path).transpose();
    Ok(submit::Files {
        stdout: path(&launch.stdout)?,
        stderr: maybe(&launch.stderr)?,
        stdin: maybe(&launch.stdin)?,
        workdir: workdir.display().to_string(),
    })
}
