//! Looking at one allocation, and doing what follows: submitting it, cancelling it, writing down
//! how it ended.

use super::desk::{Failure, Submitted, Task};
use super::judge::{self, Sight, Stage, Stop, Verdict};
use super::live::{files, fresh, is_live, live_row, over_of, spare};
use super::mark::Mark;
use super::parse::{QueueRow, SlurmState};
use super::store::{self, Assignment, Conclusion, JobExit, Submission, name, never_started};
use super::submit::{self, Refusal};
use super::{CANCEL_PERIOD, SlurmDriver};
use crate::data::board::HoldBack;
use crate::local::files::{Exit, now, numbered};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::time::{Duration, Instant};
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::{End, Launch, PayloadReach, Usage};
use suanpan_site::reconcile::{Observed, Progress};
use suanpan_site::report::Outcome;
use suanpan_wire::agent::SiteWait;

/// A job whose inputs are still on their way is submitted if it will wait for twice as long as they
/// need, and for so much longer.
const STAGING_MARGIN: Duration = Duration::from_secs(30);

/// How an allocation ends.
pub(super) enum Ending {
    Ended(Exit),
    Refused(String),
}

/// How an attempt without an exit file ended, which began at the site: where its payload never
/// did, the site lost it, whatever code its supervisor left.
fn reached(end: End, payload: PayloadReach) -> (End, PayloadReach) {
    match (payload, end) {
        (PayloadReach::Started, end) | (_, end @ (End::Cancelled | End::TimedOut)) => {
            (end, payload)
        }
        (PayloadReach::NeverStarted, _) => (End::Lost, payload),
    }
}

pub(super) fn ended(outcome: Outcome) -> Ending {
    Ending::Ended(Exit { generation: Generation(0), started_at: None, at: now(), outcome })
}

impl SlurmDriver {
    /// Finds out how far an allocation is, and does what follows.
    pub(super) fn look_at(&mut self, id: AllocationId) {
        if let Err(error) = self.try_look_at(id) {
            tracing::warn!(allocation = id.0, %error, "not possible now, tried again");
        }
    }

    fn try_look_at(&mut self, id: AllocationId) -> io::Result<()> {
        let (snapshot, accounts) = self.desk.view();
        let dir = self.dir(id);
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        let rows = snapshot.by_mark.get(&live.mark).map_or(&[][..], Vec::as_slice);
        let account = accounts.over.get(&live.mark);
        if live.submission.is_none() && !live.in_flight {
            if live.stop != Stop::No {
                return self.conclude(id, ended(never_started(End::Cancelled, "")));
            }
            if snapshot.number == 0 || !accounts.tried {
                return Ok(());
            }
            // Looked up before the first submission: an agent that lost its directory finds the
            // job by its mark.
            let known = rows.first().map(|row| row.id).or(account.map(|account| account.id));
            let Some(job) = known else {
                return if self.may_submit(id)? { self.submit(id, 1) } else { Ok(()) };
            };
            let generation = live.mark.generation;
            let submission = Submission { generation, attempt: 1, at: now(), job: Some(job) };
            dir.write(name::SUBMIT, &submission)?;
            live.submission = Some(submission);
        }
        live.look_for_fence(&dir, rows);
        live.look_for_requeue(&dir, rows);
        let over = over_of(rows, account);
        let exit = if live.fence { dir.read::<JobExit>(name::EXIT) } else { None };
        let sight = Sight {
            stop: live.stop.clone(),
            fence: live.fence,
            exit,
            requeue: live.requeue,
            live: live_row(rows),
            over,
            queue: fresh(!live.in_flight && snapshot.number > 0 && snapshot.asked > live.settled),
            accounts: fresh(accounts.asked > Some(live.since)),
            attempts: live.submission.map_or(0, |submission| submission.attempt),
            silent: live.silent(&dir),
        };
        if let Some(row) = sight.live.filter(|row| row.state == SlurmState::Pending)
            && row.reason != live.reason
        {
            live.reason.clone_from(&row.reason);
            self.waits.push(SiteWait { allocation: id, reason: row.reason.clone() });
        }
        let stage = judge::stage(&sight);
        if stage != live.stage {
            live.stage = stage;
            live.since = Instant::now();
        }
        let is_late = stage == Stage::Over && sight.over.is_some_and(judge::lacks_code);
        if matches!(stage, Stage::Missing | Stage::Over | Stage::Doubtful)
            && (accounts.asked <= Some(live.since) || is_late)
        {
            self.desk.want_accounts();
        }
        let verdict = judge::verdict(stage, &sight, live.since.elapsed());
        let exit = sight.exit.clone();
        self.desk.cancel(spare(rows));
        let ids = rows.iter().filter(|row| is_live(row)).map(|row| row.id).collect();
        self.carry_out(id, verdict, exit, ids)
    }

    fn carry_out(
        &mut self,
        id: AllocationId,
        verdict: Verdict,
        exit: Option<JobExit>,
        ids: Vec<u64>,
    ) -> io::Result<()> {
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        match verdict {
            Verdict::Wait(progress) => self.set(id, progress),
            Verdict::Cancel(progress) => {
                if live.cancelled.is_none_or(|at| at.elapsed() > CANCEL_PERIOD) {
                    live.cancelled = Some(Instant::now());
                    self.desk.cancel(ids);
                }
                self.set(id, progress);
            }
            Verdict::Withdraw(reason) => {
                tracing::info!(allocation = id.0, %reason, "taken back from the site");
                live.stop = Stop::Withdrawn(reason);
                self.desk.cancel(ids);
            }
            Verdict::Submit => {
                let attempt = live.submission.map_or(0, |submission| submission.attempt) + 1;
                tracing::warn!(allocation = id.0, attempt, "the site lost it; submitted again");
                self.submit(id, attempt)?;
            }
            Verdict::Exit(over) => {
                if let Some(exit) = exit {
                    // It ends by itself in a moment: cancelled now, the site would say that it
                    // was. What waits in the queue under its mark is cancelled as a stray.
                    let outcome = judge::merge(&exit, over);
                    let dir = self.dir(id);
                    if outcome.end == (End::Exited { code: 0 })
                        && self.settings.board.holds_back(id, &dir) == HoldBack::Publishing
                    {
                        return Ok(());
                    }
                    self.conclude(id, Ending::Ended(Exit { outcome, ..exit.exit }))?;
                }
            }
            Verdict::End(end, payload, message) => {
                self.end(id, end, payload, message)?;
                self.desk.cancel(ids);
            }
            Verdict::Refuse(reason) => {
                self.conclude(id, Ending::Refused(reason))?;
                self.desk.cancel(ids);
            }
        }
        Ok(())
    }

    /// It is over, and left no exit file.
    fn end(
        &mut self,
        id: AllocationId,
        end: End,
        payload: PayloadReach,
        message: String,
    ) -> io::Result<()> {
        let dir = self.dir(id);
        let (end, payload) = match payload {
            PayloadReach::Started => reached(end, store::give_up(&dir)?),
            never => (end, never),
        };
        let Some(live) = self.live.get(&id) else { return Ok(()) };
        let wall_us = match (payload, live.started) {
            (PayloadReach::Started, Some(at)) => now().micros_since(at),
            _ => 0,
        };
        let usage = Usage { wall_us, ..Usage::default() };
        if end == End::Lost && payload == PayloadReach::Started {
            // If it still runs on a node that Slurm lost, its supervisor ends it.
            let _ = dir.create_mark(&format!("stop.{}", live.mark.generation));
        }
        self.conclude(id, ended(Outcome { end, payload, usage, message }))
    }

    /// Writes down how it ended; from here on nothing changes any more.
    pub(super) fn conclude(&mut self, id: AllocationId, ending: Ending) -> io::Result<()> {
        let dir = self.dir(id);
        let seen = self.observed.get(&id).map_or(Generation(0), |seen| seen.generation);
        let generation = seen.max(dir.marked("stop").unwrap_or_default());
        let conclusion = match ending {
            Ending::Ended(exit) => {
                if exit.outcome.payload == PayloadReach::Started {
                    let ran = Duration::from_micros(exit.outcome.usage.wall_us);
                    self.turnover.ended(ran, Instant::now());
                }
                let started_at =
                    exit.started_at.or(self.live.get(&id).and_then(|live| live.started));
                Conclusion::Ended(Exit { generation, started_at, ..exit })
            }
            Ending::Refused(reason) => Conclusion::Refused { generation, at: now(), reason },
        };
        crate::failpoint::reached("slurm-before-end-file");
        dir.write(name::END, &conclusion)?;
        if let Some(live) = self.live.remove(&id) {
            self.amounts.ended(id, live.per_node, Instant::now());
        }
        self.observed.insert(id, Observed { generation, progress: Progress::Ended });
        self.changed.insert(id);
        Ok(())
    }

    /// Whether a job may be submitted: its inputs are there, or come before it would start by
    /// Slurm's own word. One that started earlier would hold nodes for nothing.
    fn may_submit(&self, id: AllocationId) -> io::Result<bool> {
        let left = self.settings.board.left(id);
        if left == Some(Duration::ZERO) {
            return Ok(true);
        }
        let Some(left) = left else { return Ok(false) };
        let mut trouble = None;
        let task = || self.task(id, 1).map_err(|error| trouble = Some(error)).ok();
        let wait = self.desk.foretell(id, task);
        match trouble {
            Some(error) => Err(error),
            None => Ok(wait.is_some_and(|wait| wait > left * 2 + STAGING_MARGIN)),
        }
    }

    /// What `sbatch` is called with; the script is written.
    fn task(&self, id: AllocationId, attempt: u32) -> io::Result<Task> {
        let dir = self.dir(id);
        let missing = |name: &str| io::Error::other(format!("{name} is missing or not whole"));
        let given: Assignment = dir.read(name::ORDER).ok_or_else(|| missing(name::ORDER))?;
        let launch: Launch = dir.read(name::LAUNCH).ok_or_else(|| missing(name::LAUNCH))?;
        let run = given.run().ok_or_else(|| missing("an order to run"))?;
        let live = self.live.get(&id).ok_or_else(|| missing("what is known of it"))?;
        let files = files(&dir, run, &launch).map_err(|trouble| io::Error::other(trouble.0))?;
        let words = submit::options(&live.mark, &given, run, &launch, &files);
        let script = submit::site_script(&self.settings.exe, &dir.0, &live.mark);
        fs::write(dir.file(name::SITE_SCRIPT), script)?;
        Ok(Task { allocation: id, mark: live.mark.clone(), dir, words, attempt })
    }

    fn submit(&mut self, id: AllocationId, attempt: u32) -> io::Result<()> {
        let task = self.task(id, attempt)?;
        let Some(live) = self.live.get_mut(&id) else { return Ok(()) };
        live.in_flight = true;
        live.stage = Stage::Unknown;
        live.since = Instant::now();
        self.desk.submit(task);
        Ok(())
    }

    pub(super) fn take_submitted(&mut self) {
        for Submitted { allocation: id, answer, attempt, at } in self.desk.take_submitted() {
            let Some(live) = self.live.get_mut(&id) else { continue };
            live.in_flight = false;
            live.settled = Some(at);
            let job = answer.as_ref().ok().copied();
            let generation = live.mark.generation;
            live.submission = Some(Submission { generation, attempt, at: now(), job });
            let done = match answer {
                Ok(_) => Ok(()),
                Err(Failure::Stopped) => {
                    self.conclude(id, ended(never_started(End::Cancelled, "")))
                }
                Err(Failure::Refused(Refusal::Site, reason)) => {
                    tracing::info!(allocation = id.0, %reason, "refused");
                    self.conclude(id, Ending::Refused(reason))
                }
                Err(Failure::Refused(Refusal::Unknown, reason)) => {
                    tracing::warn!(allocation = id.0, %reason, "it may or may not be submitted");
                    Ok(())
                }
            };
            if let Err(error) = done {
                tracing::warn!(allocation = id.0, %error, "not possible now, tried again");
            }
        }
    }

    /// Looks at the jobs that wait to go on or ended: the control plane is told of them at once.
    pub(super) fn take_news(&mut self) {
        let news = self.settings.state_dir.join(name::NEWS);
        for (id, told) in numbered(&news).unwrap_or_default() {
            if let Some(live) = self.live.get_mut(&id) {
                live.fence_at = None;
                self.look_at(id);
            }
            if self.live.get(&id).is_none_or(|live| live.fence) {
                let _ = fs::remove_file(&told.0);
            }
        }
    }

    /// Lets those go on of which the control plane knows; what cannot be written now stays.
    pub(super) fn let_go(&mut self) {
        let ids = std::mem::take(&mut self.acknowledged);
        for id in ids {
            let Some(live) = self.live.get(&id).filter(|live| live.fence) else { continue };
            let dir = self.dir(id);
            if store::may_go(&dir, live.mark.generation) {
                continue;
            }
            if let Err(error) = store::let_go(&dir, live.mark.generation) {
                tracing::warn!(allocation = id.0, %error, "it cannot be let go on yet");
                self.acknowledged.insert(id);
            }
        }
    }

    /// Cancels jobs of ours that are over for the control plane and still wait in the queue.
    pub(super) fn cancel_strays(&mut self) {
        if self.strays_at.elapsed() < CANCEL_PERIOD {
            return;
        }
        self.strays_at = Instant::now();
        let (snapshot, _) = self.desk.view();
        let over = |mark: &Mark| {
            let seen = self.observed.get(&mark.allocation).map(|seen| seen.progress);
            matches!(seen, Some(Progress::Ended | Progress::Forgotten))
        };
        let strays = snapshot.by_mark.iter().filter(|(mark, _)| over(mark));
        let pending = |row: &&QueueRow| row.state == SlurmState::Pending;
        let ids: BTreeSet<u64> =
            strays.flat_map(|(_, rows)| rows.iter().filter(pending).map(|row| row.id)).collect();
        self.desk.cancel(self.strays.certain(&ids, snapshot.asked, self.strays_at));
    }
}
