//! The threads that speak to Slurm, and what they share with the driver: one asks in bulk, the
//! others submit and cancel. None holds a lock while a command runs.

mod foretell;

use super::client::{self, ACT_LIMIT, ASK_LIMIT, Trouble, words};
use super::mark::Mark;
use super::parse;
use super::parse::{
    AccountRow, JOBS_FORMAT, NodeRow, PartitionRow, QueueRow, RunningRow, SACCT_FIELDS,
    SQUEUE_FORMAT, SlurmState, WaitingRow,
};
use super::store::{Submission, name};
use super::submit::{self, Refusal};
use crate::failpoint;
use crate::local::files::{Dir, now};
use foretell::Foretell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use suanpan_model::id::AllocationId;

/// Shortest time between two questions for the queue.
const POLL_MIN: Duration = Duration::from_secs(1);

/// Longest while there are jobs: it grows to this as long as nothing changes.
const POLL_MAX: Duration = Duration::from_secs(5);

/// Longest without jobs, and while the controller does not answer.
const POLL_IDLE: Duration = Duration::from_secs(15);

/// The queue is asked for at most this share of the time.
const POLL_SHARE: u32 = 20;

/// How often nodes and partitions are asked for.
const NODES_PERIOD: Duration = Duration::from_secs(15);

/// Least time between two questions to accounting.
const ACCOUNTS_PERIOD: Duration = Duration::from_secs(2);

/// States of jobs that have nodes or wait for some (squeue(1)).
const NOT_OVER: &str = "running,completing,suspended,configuring,pending";

/// Commands that submit or cancel at a time. One `sbatch` after the other, as a user's loop has
/// them, falls behind that loop, because jobs that run here slow it down; more than a few would
/// crowd the site's users.
const ACTORS: usize = 3;

/// Jobs in one `scancel`.
const CANCEL_MAX: usize = 200;

/// A submission that is to be made.
#[derive(Clone, Debug)]
pub struct Task {
    /// The allocation.
    pub allocation: AllocationId,
    /// Its mark.
    pub mark: Mark,
    /// Its directory.
    pub dir: Dir,
    /// The words after `sbatch`.
    pub words: Vec<String>,
    /// Which attempt this is.
    pub attempt: u32,
}

/// What became of a submission.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// The allocation.
    pub allocation: AllocationId,
    /// The site's id, or why there is none.
    pub answer: Result<u64, Failure>,
    /// Which attempt this was.
    pub attempt: u32,
    /// When it was over.
    pub at: Instant,
}

/// Why a submission gave no id.
#[derive(Clone, Debug)]
pub enum Failure {
    /// It was asked to stop before.
    Stopped,
    /// Slurm's answer.
    Refused(Refusal, String),
}

/// What the site was seen to have, at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Counts up; 0 before the first.
    pub number: u64,
    /// When the question was asked.
    pub asked: Option<Instant>,
    /// Our jobs by mark. Several if a submission was repeated though the first one was taken.
    pub by_mark: BTreeMap<Mark, Vec<QueueRow>>,
}

/// What accounting says.
#[derive(Debug, Default)]
pub struct Accounts {
    /// Whether it was asked at all, with or without an answer.
    pub tried: bool,
    /// When the last question was asked that was answered.
    pub asked: Option<Instant>,
    /// Its latest row of each of our jobs that is over.
    pub over: BTreeMap<Mark, AccountRow>,
}

/// What the site's nodes and partitions are.
#[derive(Clone, Debug, Default)]
pub struct Machines {
    /// The nodes.
    pub nodes: Vec<NodeRow>,
    /// The partitions.
    pub partitions: Vec<PartitionRow>,
    /// The nodes of our jobs that had some before or after the nodes were asked for.
    pub ours: BTreeMap<Mark, String>,
    /// Jobs that came to the site another way and have nodes.
    pub others: Vec<RunningRow>,
    /// Such jobs that wait for nodes, in the order of the queue.
    pub waiting: Vec<WaitingRow>,
}

#[derive(Default)]
struct State {
    snapshot: Arc<Snapshot>,
    accounts: Arc<Accounts>,
    machines: Option<Machines>,
    tasks: VecDeque<Task>,
    foretell: Foretell,
    cancels: BTreeSet<u64>,
    signals: Vec<Vec<String>>,
    submitted: Vec<Submitted>,
    live: usize,
    accounts_wanted: bool,
    hurry: bool,
    ending: bool,
}

/// What the threads share with the driver.
pub struct Desk {
    user: String,
    network: String,
    state: Mutex<State>,
    asking: Condvar,
    acting: Condvar,
}

impl Desk {
    /// Starts the threads.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub fn open(user: String, network: String) -> std::io::Result<Arc<Desk>> {
        let state = Mutex::new(State { accounts_wanted: true, ..State::default() });
        let (asking, acting) = (Condvar::new(), Condvar::new());
        let desk = Arc::new(Desk { user, network, state, asking, acting });
        let asker = Arc::clone(&desk);
        std::thread::Builder::new().name("squeue".into()).spawn(move || asker.ask())?;
        for _ in 0..ACTORS {
            let actor = Arc::clone(&desk);
            std::thread::Builder::new().name("sbatch".into()).spawn(move || actor.act())?;
        }
        Ok(desk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// The latest view of the queue and of accounting.
    pub fn view(&self) -> (Arc<Snapshot>, Arc<Accounts>) {
        let state = self.state();
        (Arc::clone(&state.snapshot), Arc::clone(&state.accounts))
    }

    /// Submissions that are over.
    pub fn take_submitted(&self) -> Vec<Submitted> {
        std::mem::take(&mut self.state().submitted)
    }

    /// Nodes and partitions, if they were asked for since the last call.
    pub fn take_machines(&self) -> Option<Machines> {
        self.state().machines.take()
    }

    /// Has a job submitted.
    pub fn submit(&self, task: Task) {
        self.state().tasks.push_back(task);
        self.acting.notify_one();
    }

    /// Has jobs cancelled.
    pub fn cancel(&self, ids: impl IntoIterator<Item = u64>) {
        self.state().cancels.extend(ids);
        self.acting.notify_one();
    }

    /// Has a job told something: the words after `scancel`.
    pub fn signal(&self, words: Vec<String>) {
        self.state().signals.push(words);
        self.acting.notify_one();
    }

    /// Has accounting asked with the next question.
    pub fn want_accounts(&self) {
        self.state().accounts_wanted = true;
    }

    /// States how many allocations are not over; without any, questions become rare.
    pub fn set_live(&self, live: usize) {
        let mut state = self.state();
        if state.live == 0 && live > 0 {
            state.hurry = true;
            self.asking.notify_one();
        }
        state.live = live;
    }

    /// Ends the threads after the command they are in.
    pub fn end(&self) {
        self.state().ending = true;
        self.asking.notify_all();
        self.acting.notify_all();
    }

    fn run(&self, program: &str, words: &[String], limit: Duration) -> Result<String, Trouble> {
        let began = Instant::now();
        let answer = client::run(program, words, limit);
        // For counting what the agent costs the site.
        tracing::debug!(program, took_ms = began.elapsed().as_millis(), "asked Slurm");
        answer
    }

    fn ask(&self) {
        let (mut period, mut silence) = (POLL_MIN, POLL_MIN);
        let (mut nodes_at, mut nodes_period) = (None::<Instant>, NODES_PERIOD);
        let mut accounts_at: Option<Instant> = None;
        loop {
            let began = Instant::now();
            let changed = match self.ask_queue(began) {
                Ok(changed) => changed,
                Err(trouble) => {
                    tracing::warn!(%trouble, "squeue");
                    if self.pause(silence) {
                        return;
                    }
                    silence = (silence * 2).min(POLL_IDLE);
                    continue;
                }
            };
            silence = POLL_MIN;
            let took = began.elapsed();
            // Soon after the queue, because nodes are told by it to be ours or not.
            if nodes_at.is_none_or(|at| at.elapsed() > nodes_period) {
                let asked = Instant::now();
                nodes_at = Some(asked);
                self.ask_machines();
                // A site with very many jobs is asked more rarely.
                nodes_period = NODES_PERIOD.max(asked.elapsed() * POLL_SHARE);
            }
            let due = accounts_at.is_none_or(|at| at.elapsed() > ACCOUNTS_PERIOD);
            if due && self.state().accounts_wanted {
                accounts_at = Some(Instant::now());
                self.ask_accounts();
            }
            let most = if self.state().live > 0 { POLL_MAX } else { POLL_IDLE };
            period = if changed { POLL_MIN } else { (period * 3 / 2).min(most) };
            if self.pause(period.max(took * POLL_SHARE)) {
                return;
            }
        }
    }

    /// Waits until it is time for the next question; true if there will be none.
    fn pause(&self, period: Duration) -> bool {
        let state = self.state();
        let waited =
            self.asking.wait_timeout_while(state, period, |state| !state.ending && !state.hurry);
        let mut state = waited.expect("no holder of this lock panics").0;
        state.hurry = false;
        state.ending
    }

    /// Asks for the queue; whether it changed.
    fn ask_queue(&self, asked: Instant) -> Result<bool, Trouble> {
        let list = words(&["-h", "-t", "all", "-u", &self.user, "-o", SQUEUE_FORMAT]);
        let text = self.run("squeue", &list, ASK_LIMIT)?;
        let mut by_mark: BTreeMap<Mark, Vec<QueueRow>> = BTreeMap::new();
        for row in parse::squeue(&text) {
            if let Some(mark) = row.mark.clone().filter(|mark| mark.network == self.network) {
                by_mark.entry(mark).or_default().push(row);
            }
        }
        let mut state = self.state();
        let changed = state.snapshot.by_mark != by_mark;
        let number = state.snapshot.number + 1;
        state.snapshot = Arc::new(Snapshot { number, asked: Some(asked), by_mark });
        Ok(changed)
    }

    /// Asks accounting once for everything recent. A site without it is looked after all the same.
    fn ask_accounts(&self) {
        let asked = Instant::now();
        let list = words(&["-XDnP", "-S", "now-7days", "-u", &self.user, "-o", SACCT_FIELDS]);
        match self.run("sacct", &list, ASK_LIMIT) {
            Ok(text) => {
                let mut over = BTreeMap::new();
                for row in parse::sacct(&text) {
                    if let (Some(mark), SlurmState::Over(_)) = (&row.mark, row.state)
                        && mark.network == self.network
                    {
                        over.insert(mark.clone(), row);
                    }
                }
                let mut state = self.state();
                state.accounts = Arc::new(Accounts { tried: true, asked: Some(asked), over });
                state.accounts_wanted = false;
            }
            Err(trouble) => {
                tracing::warn!(%trouble, "sacct");
                let mut state = self.state();
                if !state.accounts.tried {
                    state.accounts = Arc::new(Accounts { tried: true, ..Accounts::default() });
                }
            }
        }
    }

    fn ask_machines(&self) {
        let nodes = self.run("scontrol", &words(&["-o", "-d", "show", "node"]), ASK_LIMIT);
        let partitions = self.run("scontrol", &words(&["-o", "show", "partition"]), ASK_LIMIT);
        let list = words(&["-h", "-t", NOT_OVER, "-o", JOBS_FORMAT]);
        let jobs = self.run("squeue", &list, ASK_LIMIT);
        let (Ok(nodes), Ok(partitions), Ok(jobs)) = (nodes, partitions, jobs) else { return };
        let jobs = parse::jobs(&jobs);
        let after: Vec<_> = jobs.running_of(&self.network).collect();
        let parse::Jobs { running: others, waiting } = jobs.of_others(&self.network);
        let mut state = self.state();
        let rows = state.snapshot.by_mark.iter();
        let before = rows.flat_map(|(mark, rows)| rows.iter().map(move |row| (mark, row)));
        let before = before
            .filter(|(_, row)| matches!(row.state, SlurmState::Running | SlurmState::Completing))
            .map(|(mark, row)| (mark.clone(), row.nodes.clone()));
        let ours = before.chain(after).collect();
        let (nodes, partitions) = (parse::nodes(&nodes), parse::partitions(&partitions));
        state.machines = Some(Machines { nodes, partitions, ours, others, waiting });
    }

    fn act(&self) {
        loop {
            let (task, cancels, signals, foretell) = {
                let idle = |state: &mut State| {
                    let work = state.tasks.len()
                        + state.cancels.len()
                        + state.signals.len()
                        + usize::from(state.foretell.is_wanted());
                    !state.ending && work == 0
                };
                let waited = self.acting.wait_while(self.state(), idle);
                let mut state = waited.expect("no holder of this lock panics");
                if state.ending {
                    return;
                }
                let cancels: Vec<u64> = state.cancels.iter().copied().take(CANCEL_MAX).collect();
                for id in &cancels {
                    state.cancels.remove(id);
                }
                let (task, foretell) = (state.tasks.pop_front(), state.foretell.take());
                (task, cancels, std::mem::take(&mut state.signals), foretell)
            };
            if let Some(task) = foretell {
                self.ask_start(&task);
            }
            for words in signals {
                if let Err(trouble) = self.run("scancel", &words, ACT_LIMIT) {
                    tracing::warn!(%trouble, "scancel --signal");
                }
            }
            if !cancels.is_empty() {
                self.scancel(&cancels);
            }
            if let Some(task) = task {
                let answer = self.sbatch(&task);
                let Task { allocation, attempt, .. } = task;
                let submitted = Submitted { allocation, answer, attempt, at: Instant::now() };
                self.state().submitted.push(submitted);
            }
        }
    }

    fn scancel(&self, ids: &[u64]) {
        let mut list = words(&["--quiet"]);
        list.extend(ids.iter().map(u64::to_string));
        // A job that is over already is no trouble; the driver asks again for what is not.
        if let Err(trouble) = self.run("scancel", &list, ACT_LIMIT) {
            tracing::warn!(%trouble, jobs = ids.len(), "scancel");
        }
        self.soon();
    }

    fn soon(&self) {
        self.state().hurry = true;
        self.asking.notify_one();
    }

    /// Submits once. That it is about to is on disk before, so that a crash in between is seen.
    fn sbatch(&self, task: &Task) -> Result<u64, Failure> {
        if task.dir.marked("stop").is_some() {
            return Err(Failure::Stopped);
        }
        let unknown = |text: String| Failure::Refused(Refusal::Unknown, text);
        let generation = task.mark.generation;
        let submission = Submission { generation, attempt: task.attempt, at: now(), job: None };
        task.dir
            .write(name::SUBMIT, &submission)
            .map_err(|error| unknown(format!("{}: {error}", name::SUBMIT)))?;
        failpoint::reached("slurm-before-sbatch");
        let mut list = task.words.clone();
        list.push(task.dir.file(name::SITE_SCRIPT).display().to_string());
        let answer = self.run("sbatch", &list, ACT_LIMIT);
        failpoint::reached("slurm-after-sbatch");
        let id = match answer {
            Ok(text) => parse::sbatch(&text)
                .ok_or_else(|| unknown(format!("sbatch answered `{}`", text.trim_end())))?,
            Err(Trouble::Failed(text)) => {
                let (kind, reason) = submit::refusal(&text);
                return Err(Failure::Refused(kind, reason));
            }
            Err(trouble) => return Err(unknown(format!("sbatch: {trouble}"))),
        };
        let submission = Submission { job: Some(id), ..submission };
        if let Err(error) = task.dir.write_unsynced(name::SUBMIT, &submission) {
            // The mark finds the job again.
            tracing::warn!(allocation = task.allocation.0, %error, "could not note the site's id");
        }
        Ok(id)
    }

    /// What the site has, asked now.
    ///
    /// # Errors
    /// If Slurm does not answer.
    pub fn machines_now() -> Result<Machines, Trouble> {
        let nodes = client::run("scontrol", &words(&["-o", "-d", "show", "node"]), ASK_LIMIT)?;
        let partitions = client::run("scontrol", &words(&["-o", "show", "partition"]), ASK_LIMIT)?;
        let (nodes, partitions) = (parse::nodes(&nodes), parse::partitions(&partitions));
        Ok(Machines { nodes, partitions, ..Machines::default() })
    }
}
