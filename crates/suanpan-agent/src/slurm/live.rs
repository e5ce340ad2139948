//! What the agent remembers of one allocation, and what it finds out about it.

use super::judge::{Over, Stage, Stop, View};
use super::mark::Mark;
use super::parse::{self, QueueRow, SlurmState};
use super::store::{Submission, name};
use super::submit;
use crate::local::files::{Dir, PayloadStart};
use crate::local::stage;
use std::fs;
use std::time::{Duration, Instant, SystemTime};
use suanpan_model::job::{Launch, Requeue};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;

/// How often the fence of a job is looked for that should only be waiting.
const FENCE_PERIOD: Duration = Duration::from_secs(10);

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
    pub(super) beat: (Option<SystemTime>, Instant),
    pub(super) cancelled: Option<Instant>,
    pub(super) born: Instant,
    pub(super) shown: bool,
}

impl Live {
    pub(super) fn new(mark: Mark, launch: &Launch, per_node: Tres) -> Live {
        let now = Instant::now();
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
            since: now,
            fence: false,
            fence_at: None,
            started: None,
            beat: (None, now),
            cancelled: None,
            born: now,
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
            self.fence = dir.has(&format!("start.{}", self.mark.generation));
        }
        if self.fence && self.started.is_none() {
            self.started = dir.read::<PayloadStart>(name::PAYLOAD).map(|start| start.at);
        }
    }

    /// How long the supervisor has not touched its file, by this machine's clock alone.
    pub(super) fn silent(&mut self, dir: &Dir) -> Duration {
        if self.fence && matches!(self.stage, Stage::Astray | Stage::Missing) {
            let touched = fs::metadata(dir.file(name::ALIVE)).and_then(|m| m.modified()).ok();
            if touched != self.beat.0 {
                self.beat = (touched, Instant::now());
            }
            return self.beat.1.max(self.since).elapsed();
        }
        Duration::ZERO
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
