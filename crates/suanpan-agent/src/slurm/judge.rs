//! What is to be concluded about one allocation from its files, the queue and accounting. Pure: the
//! driver gathers a [`Sight`], keeps since when its [`Stage`] lasts, and does what [`verdict`]
//! says.
//!
//! Files are believed before the queue, and the queue before accounting, because that is the order
//! in which they can be wrong: a controller that was killed forgets jobs it acknowledged, shows
//! jobs as running that died with their node, and holds jobs that ran as never started; accounting
//! is late, absent, or keeps a lost job as pending for ever.

use super::parse::{QueueRow, SlurmEnd, SlurmState};
use super::store::{JobExit, Word};
use super::submit;
use std::time::Duration;
use suanpan_model::job::{End, PayloadReach, Requeue};
use suanpan_site::reconcile::Progress;
use suanpan_site::report::Outcome;

#[cfg(test)]
mod tests;

/// A job that is blocked at its site for so long is taken elsewhere.
pub const BLOCKED_MAX: Duration = Duration::from_secs(15);

/// After Slurm says that a job is over, its exit file is on its way for at most so long.
pub const EXIT_LATE: Duration = Duration::from_secs(10);

/// How long Slurm is given to say why it ended a job.
pub const WORD_MAX: Duration = Duration::from_secs(60);

/// A job that is in no queue is submitted again after this time, if accounting answers.
pub const MISSING_KNOWN: Duration = Duration::from_secs(5);

/// And if accounting does not answer.
pub const MISSING_UNKNOWN: Duration = Duration::from_secs(45);

/// A supervisor that was not heard of for so long is gone, also where Slurm does not know it yet:
/// after a power loss it shows jobs as running for two minutes.
pub const SILENT_MAX: Duration = Duration::from_secs(60);

/// A site that loses a job so often does not get it again.
pub const ATTEMPTS_MAX: u32 = 6;

/// All that is known of one allocation at one moment.
#[derive(Clone, Debug)]
pub struct Sight<'a> {
    /// Whether it is to be stopped.
    pub stop: Stop,
    /// Whether the supervisor inside the job began.
    pub fence: bool,
    /// What that supervisor wrote at the end.
    pub exit: Option<JobExit>,
    /// Whether Slurm may start it again.
    pub requeue: Requeue,
    /// Its row in the queue, if it is there and not over.
    pub live: Option<&'a QueueRow>,
    /// How Slurm says that it ended.
    pub over: Option<Over>,
    /// Whether the queue was seen after the last submission.
    pub queue: View,
    /// Whether accounting answered since the job is missing.
    pub accounts: View,
    /// Submissions so far.
    pub attempts: u32,
    /// How long nothing was heard of the supervisor.
    pub silent: Duration,
}

/// Whether an allocation is to be stopped, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It goes on.
    No,
    /// The control plane ordered it.
    Ordered,
    /// It is taken back from a site that does not start it, for this reason.
    Withdrawn(String),
}

/// Whether something was looked at since it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// It was.
    Fresh,
    /// Not yet.
    Stale,
}

/// How Slurm says that a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// In which state.
    pub end: SlurmEnd,
    /// Exit code and signal, where accounting has them.
    pub code: Option<(u8, u8)>,
    /// Seconds it ran, where accounting has them.
    pub elapsed_s: u64,
}

/// What stands out about an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was seen of it since it was submitted.
    Unknown,
    /// It waits its turn in the site's queue.
    Queued,
    /// It waits at the site for something that waiting does not bring.
    Blocked,
    /// It has its nodes.
    Running,
    /// Slurm holds it as waiting, though it began.
    Astray,
    /// Its supervisor wrote an end that Slurm must explain.
    Doubtful,
    /// Its end is known.
    Exited,
    /// Slurm says that it is over, and there is no exit file.
    Over,
    /// It is in no queue, and Slurm has no word about its start.
    Missing,
}

/// What to do about an allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing but look again.
    Wait(Progress),
    /// Cancel it at the site, and look again.
    Cancel(Progress),
    /// Begin to take it back from the site, for this reason.
    Withdraw(String),
    /// Submit it again: it is certain that it never began.
    Submit,
    /// Its exit file, with Slurm's word on it if there is one.
    Exit(Option<Over>),
    /// It is over, and this is how.
    End(End, PayloadReach, String),
    /// The site did not run it, for this reason.
    Refuse(String),
}

/// What stands out.
#[must_use]
pub fn stage(sight: &Sight<'_>) -> Stage {
    if let Some(exit) = &sight.exit {
        let is_final = exit.word == Word::Ours && sight.requeue == Requeue::Never;
        let is_told = sight.over.is_some() && sight.live.is_none();
        return if is_final || is_told { Stage::Exited } else { Stage::Doubtful };
    }
    match sight.live.map(|row| (row.state, row)) {
        Some((SlurmState::Pending, _)) if sight.fence => Stage::Astray,
        Some((SlurmState::Pending, row)) if submit::blocked(&row.reason).is_some() => {
            Stage::Blocked
        }
        Some((SlurmState::Pending, _)) => Stage::Queued,
        Some(_) => Stage::Running,
        None if sight.over.is_some() && !began_again(sight) => Stage::Over,
        None if sight.queue == View::Fresh => Stage::Missing,
        None => Stage::Unknown,
    }
}

/// Whether Slurm's word is about a later start, which ran nothing: a controller that was killed
/// just after a start begins the job once more. Only its files tell what became of the first one.
fn began_again(sight: &Sight<'_>) -> bool {
    let code = sight.over.and_then(|over| over.code);
    sight.fence && code == Some((submit::NOTHING_RUN, 0))
}

/// What to do, given how long the stage has lasted.
#[must_use]
pub fn verdict(stage: Stage, sight: &Sight<'_>, lasted: Duration) -> Verdict {
    let progress = match (&sight.stop, sight.fence) {
        (Stop::Ordered, _) => Progress::Stopping,
        (_, true) => Progress::Started,
        (_, false) => Progress::Staging,
    };
    let stops = sight.stop != Stop::No;
    let again = || if stops { Verdict::Cancel(progress) } else { Verdict::Wait(progress) };
    match stage {
        Stage::Unknown => Verdict::Wait(progress),
        Stage::Running if sight.silent > SILENT_MAX => gone(),
        Stage::Queued | Stage::Running => again(),
        Stage::Blocked if stops || lasted < BLOCKED_MAX => again(),
        Stage::Blocked => {
            let word = sight.live.map(|row| row.reason.as_str()).unwrap_or_default();
            let why = submit::blocked(word).unwrap_or_default();
            Verdict::Withdraw(format!("Slurm: {why} ({word})"))
        }
        Stage::Astray if sight.requeue == Requeue::OnFailure => again(),
        Stage::Astray if sight.silent > SILENT_MAX => gone(),
        Stage::Astray => Verdict::Wait(progress),
        Stage::Exited => Verdict::Exit(sight.over),
        Stage::Doubtful if sight.requeue == Requeue::OnFailure && sight.live.is_some() => again(),
        Stage::Doubtful if lasted > WORD_MAX => Verdict::Exit(None),
        Stage::Doubtful => Verdict::Wait(progress),
        Stage::Over => over(sight, lasted, progress),
        Stage::Missing => missing(sight, lasted, progress),
    }
}

fn gone() -> Verdict {
    let why = "the site lost it while it ran".to_owned();
    Verdict::End(End::Lost, PayloadReach::Started, why)
}

/// Whether only accounting, which may be late, can say how it ended.
#[must_use]
pub fn lacks_code(over: Over) -> bool {
    over.end == SlurmEnd::Failed && over.code.is_none()
}

/// Slurm says that it is over, and there is no exit file.
fn over(sight: &Sight<'_>, lasted: Duration, progress: Progress) -> Verdict {
    let Some(over) = sight.over else { return Verdict::Wait(progress) };
    let patience = match over {
        _ if !sight.fence => Duration::from_secs(1),
        over if lacks_code(over) => WORD_MAX,
        _ => EXIT_LATE,
    };
    if lasted < patience {
        return Verdict::Wait(progress);
    }
    let text = |words: &str| words.to_owned();
    if sight.fence {
        let (end, why) = match (over.end, over.code) {
            (SlurmEnd::Timeout, _) => (End::TimedOut, ""),
            (SlurmEnd::Cancelled, _) => (End::Cancelled, ""),
            (SlurmEnd::OutOfMemory, _) => (End::OutOfMemory, ""),
            (SlurmEnd::Preempted, _) => (End::Lost, "preempted at the site"),
            (SlurmEnd::NodeFail, _) => (End::Lost, "its node failed"),
            (_, Some((_, signal))) if signal > 0 => (End::Signalled { signal }, ""),
            (SlurmEnd::Completed, _) => (End::Exited { code: 0 }, ""),
            (SlurmEnd::Failed, Some((code, _))) => (End::Exited { code }, ""),
            (SlurmEnd::Failed, None) => (End::Lost, "its exit code is not known"),
        };
        return Verdict::End(end, PayloadReach::Started, text(why));
    }
    match (&sight.stop, over.end) {
        (Stop::Ordered, _) => {
            Verdict::End(End::Cancelled, PayloadReach::NeverStarted, String::new())
        }
        (Stop::Withdrawn(reason), _) => Verdict::Refuse(reason.clone()),
        (_, SlurmEnd::NodeFail | SlurmEnd::Preempted) => {
            let why = text("its node failed before it began");
            Verdict::End(End::Lost, PayloadReach::NeverStarted, why)
        }
        (_, SlurmEnd::Cancelled) => {
            Verdict::Refuse(text("it was cancelled at the site before it began"))
        }
        (_, _) => Verdict::Refuse(match over.code {
            // 2 is ENOENT: Slurm could not run the script, because its interpreter is not there.
            Some((2 | 126 | 127, _)) => {
                text("its node does not see the agent's state directory or binary")
            }
            Some((code, _)) => format!("it ended at the site before it began (exit code {code})"),
            None => text("it ended at the site before it began"),
        }),
    }
}

/// It is in no queue: lost by the controller, or over for so long that only accounting knows.
fn missing(sight: &Sight<'_>, lasted: Duration, progress: Progress) -> Verdict {
    if sight.fence {
        return if sight.silent > SILENT_MAX { gone() } else { Verdict::Wait(progress) };
    }
    let patience = if sight.accounts == View::Fresh { MISSING_KNOWN } else { MISSING_UNKNOWN };
    if lasted < patience {
        return Verdict::Wait(progress);
    }
    match &sight.stop {
        Stop::Ordered => Verdict::End(End::Cancelled, PayloadReach::NeverStarted, String::new()),
        Stop::Withdrawn(reason) => Verdict::Refuse(reason.clone()),
        Stop::No if sight.attempts >= ATTEMPTS_MAX => {
            Verdict::Refuse(format!("Slurm lost it {} times after taking it", sight.attempts))
        }
        Stop::No => Verdict::Submit,
    }
}

/// What the supervisor saw, with Slurm's word where a signal came from Slurm.
#[must_use]
pub fn merge(exit: &JobExit, over: Option<Over>) -> Outcome {
    let mut outcome = exit.exit.outcome.clone();
    let Some(over) = over.filter(|_| exit.word == Word::Slurms) else { return outcome };
    let (end, why) = match over.end {
        SlurmEnd::Timeout => (End::TimedOut, ""),
        SlurmEnd::Cancelled => (End::Cancelled, ""),
        SlurmEnd::OutOfMemory => (End::OutOfMemory, "killed for memory at the site"),
        SlurmEnd::NodeFail => (End::Lost, "its node failed"),
        SlurmEnd::Preempted => (End::Lost, "preempted at the site"),
        SlurmEnd::Completed | SlurmEnd::Failed => (outcome.end, ""),
    };
    outcome.end = end;
    if outcome.message.is_empty() {
        why.clone_into(&mut outcome.message);
    }
    outcome
}
