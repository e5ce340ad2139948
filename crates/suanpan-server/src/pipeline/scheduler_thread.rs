//! The thread that plans: it folds the engine's changes into a snapshot of its own, and its starts
//! come back through the same door as every other command.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use suanpan_engine::command::{Caller, Command, CommitPlan};
use suanpan_engine::sequencer::Reply;
use suanpan_model::id::JobId;
use suanpan_model::time::Timestamp;
use suanpan_sched::plan::Plan;
use suanpan_sched::policy::Policy;
use suanpan_sched::reason::{Explanation, WaitingFor};
use suanpan_sched::snapshot::{Change, ClassKey, Snapshot};
use tokio::sync::oneshot;

use super::checkpoint_thread::{alarm, in_words};
use super::{Background, Failure, Shared, clock, lower_priority};

/// How the scheduler is driven.
#[derive(Clone, Debug)]
pub struct SchedulerOptions {
    /// A cycle runs at least so often, changes or not: begin times come, allocations overrun.
    pub period: Duration,
    /// After a first change, wait so long for more before a cycle begins (longer behind a long
    /// cycle).
    pub gather: Duration,
    /// How a cycle decides.
    pub policy: Policy,
}

impl Default for SchedulerOptions {
    fn default() -> Self {
        SchedulerOptions {
            period: Duration::from_secs(2),
            gather: Duration::from_millis(5),
            policy: Policy::default(),
        }
    }
}

/// What the last cycle found of a job that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    /// When the cycle ran.
    pub at: Timestamp,
    /// Why the job waits.
    pub reason: WaitingFor,
    /// What was compared and ruled out for its shape.
    pub explanation: Option<Arc<Explanation>>,
    /// The start promised to it, if it is among the first that wait.
    pub shadow_start: Option<Timestamp>,
    /// The first job of the same shape that waits: those after it wait for their turn.
    pub first: Option<JobId>,
}

/// The last cycle's results: what it found of the jobs that wait. Its starts are commands by then.
struct LastCycle {
    at: Timestamp,
    plan: Plan,
}

/// A question to the scheduler's snapshot; the asker's channel is inside.
type Question = Box<dyn FnOnce(&Snapshot, Timestamp, &Policy) + Send>;

/// The scheduler as the other threads see it.
pub(crate) struct SchedulerDesk {
    inbox: Mutex<Inbox>,
    woken: Condvar,
    last: RwLock<Arc<LastCycle>>,
}

#[derive(Default)]
struct Inbox {
    changes: Vec<Change>,
    questions: Vec<Question>,
    stopped: bool,
}

impl SchedulerDesk {
    pub(crate) fn new() -> SchedulerDesk {
        SchedulerDesk {
            inbox: Mutex::default(),
            woken: Condvar::new(),
            last: RwLock::new(Arc::new(LastCycle { at: Timestamp(0), plan: Plan::default() })),
        }
    }

    /// Durable changes of the state.
    pub(crate) fn changed(&self, changes: Vec<Change>) {
        let mut inbox = self.lock();
        let was_quiet = inbox.changes.is_empty();
        inbox.changes.extend(changes);
        drop(inbox);
        if was_quiet {
            self.woken.notify_one();
        }
    }

    /// Runs `question` on the scheduler's thread between two cycles; `None` once it has stopped.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Snapshot, Timestamp, &Policy) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.put(Box::new(move |snapshot, now, policy| {
            // The asker may have gone away.
            let _ = answer.send(question(snapshot, now, policy));
        }));
        answered.await.ok()
    }

    /// Puts a question; dropped, which its asker notices, once the scheduler has stopped.
    fn put(&self, question: Question) {
        let mut inbox = self.lock();
        if !inbox.stopped {
            inbox.questions.push(question);
        }
        drop(inbox);
        self.woken.notify_one();
    }

    /// What the last cycle found of a waiting job.
    pub(crate) fn waits(&self, job: JobId, of: &ClassKey) -> Option<Waits> {
        let last = Arc::clone(&self.last.read().expect("no thread panics while it holds the lock"));
        let class = last.plan.waiting.get(of);
        let own = last.plan.waiting_jobs.get(&job).copied();
        let by_class = class.map(|class| match class.first == job {
            true => class.reason,
            // What keeps the whole class keeps each of it; else it waits for its turn.
            false if class.reason == WaitingFor::Resources => WaitingFor::Priority,
            false => class.reason,
        });
        Some(Waits {
            at: last.at,
            reason: own.or(by_class)?,
            explanation: class.map(|class| Arc::clone(&class.explanation)),
            shadow_start: last.plan.shadow_starts.get(&job).copied(),
            first: class.map(|class| class.first),
        })
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.woken.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().expect("no thread panics while it holds the lock")
    }
}

/// The thread that plans.
pub(crate) struct SchedulerThread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) snapshot: Snapshot,
    pub(crate) options: SchedulerOptions,
}

/// What the thread woke up for.
struct Woken {
    changes: Vec<Change>,
    questions: Vec<Question>,
    stopped: bool,
}

/// Whether a cycle is due as soon as the thread has rested, or only after changes or a period.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    /// After the next change, or when the period is over.
    Later,
    /// Something changed, or the last plan was cut short.
    Soon,
}

/// After a cycle the thread rests this many times as long as its plan took, so that many
/// pending jobs cost a third of one processor and not all of it; but never longer than so much.
const REST: (u32, Duration) = (2, Duration::from_millis(200));

impl SchedulerThread {
    /// The first cycle, before anything else runs.
    pub(crate) fn first_cycle(&mut self) {
        let now = clock::now();
        match in_words(|| self.planned(now)) {
            Ok(plan) => self.publish(now, plan),
            Err(why) => alarm(&self.shared, &format!("in the scheduler: {why}")),
        }
    }

    pub(crate) fn run(mut self) {
        let _guard = self.shared.mode.guard("scheduler");
        lower_priority(Background::Awaited);
        let mut due = Due::Soon;
        let mut cycled = Instant::now();
        let mut rested = cycled;
        loop {
            let at = match due {
                Due::Soon => rested,
                Due::Later => rested.max(cycled + self.options.period),
            };
            let woken = self.wait(at.saturating_duration_since(Instant::now()), due);
            if woken.stopped {
                return;
            }
            let began = Instant::now();
            if !woken.changes.is_empty() && due == Due::Later {
                due = Due::Soon;
                rested = rested.max(began + self.options.gather);
            }
            for change in woken.changes {
                self.snapshot.apply(change);
            }
            for question in woken.questions {
                let ask = || question(&self.snapshot, clock::now(), &self.options.policy);
                if let Err(why) = in_words(ask) {
                    tracing::error!(%why, "a question to the scheduler panicked");
                }
            }
            let is_time = match due {
                Due::Soon => began >= rested,
                Due::Later => began >= cycled + self.options.period,
            };
            if is_time {
                let planned;
                (due, planned) = self.cycle(began);
                cycled = Instant::now();
                let rest = (planned * REST.0).min(REST.1).max(self.options.gather);
                rested = cycled + rest;
            }
        }
    }

    /// Waits for a question, for the time, and where no cycle is due yet for changes.
    fn wait(&self, patience: Duration, due: Due) -> Woken {
        let desk = &self.shared.scheduler;
        let inbox = desk.lock();
        let (mut inbox, _) = desk
            .woken
            .wait_timeout_while(inbox, patience, |inbox| {
                let is_news = due == Due::Later && !inbox.changes.is_empty();
                !is_news && inbox.questions.is_empty() && !inbox.stopped
            })
            .expect("no thread panics while it holds the lock");
        Woken {
            changes: std::mem::take(&mut inbox.changes),
            questions: std::mem::take(&mut inbox.questions),
            stopped: inbox.stopped,
        }
    }

    /// One cycle; says when the next is due and how long the plan took.
    fn cycle(&mut self, began: Instant) -> (Due, Duration) {
        let now = clock::now();
        // A restart would plan the same: rather no plans, and an alarm, than a loop of crashes.
        let mut plan = match in_words(|| self.planned(now)) {
            Ok(plan) => plan,
            Err(why) => {
                alarm(&self.shared, &format!("in the scheduler: {why}"));
                return (Due::Later, began.elapsed());
            }
        };
        let planned = began.elapsed();
        self.shared.metrics.plan_seconds.observe(planned.as_secs_f64());
        let placements = std::mem::take(&mut plan.placements);
        let explanations = std::mem::take(&mut plan.explanations);
        let preemptions = std::mem::take(&mut plan.preemptions);
        self.publish(now, plan);
        let proposed = placements.len();
        let due = match proposed + preemptions.len() {
            0 => Due::Later,
            _ => self.commit(CommitPlan { explanations, placements, preemptions }, proposed),
        };
        self.shared.metrics.cycle_seconds.observe(began.elapsed().as_secs_f64());
        self.count();
        (due, planned)
    }

    fn planned(&self, now: Timestamp) -> Plan {
        suanpan_sched::plan::plan(&self.snapshot, now, &self.options.policy)
    }

    fn publish(&self, at: Timestamp, plan: Plan) {
        *self.shared.scheduler.last.write().expect("no thread panics while it holds the lock") =
            Arc::new(LastCycle { at, plan });
    }

    /// Proposes the starts and waits until they are durable: one plan is under way at a time, and
    /// the changes it makes arrive here before its answer does.
    fn commit(&self, plan: CommitPlan, proposed: usize) -> Due {
        match self.shared.command_blocking(Caller::System, Command::CommitPlan(plan)) {
            Ok(committed) => {
                if let Reply::Plan { committed, dropped } = committed.reply {
                    self.shared.metrics.starts.inc_by(committed.into());
                    self.shared.metrics.dropped_starts.inc_by(dropped.into());
                }
                let is_cut = proposed >= self.options.policy.starts_max as usize;
                if is_cut { Due::Soon } else { Due::Later }
            }
            Err(Failure::Rejected(rejection)) => {
                tracing::error!(%rejection, "the engine refused a whole plan");
                Due::Later
            }
            Err(failure) => {
                tracing::debug!(%failure, "a plan could not be committed");
                Due::Later
            }
        }
    }

    fn count(&self) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.shared.metrics.pending_jobs.set(count(self.snapshot.pending.len()));
        let running = self.snapshot.clusters.values().map(|cluster| cluster.running.len()).sum();
        self.shared.metrics.allocations.set(count(running));
    }
}
