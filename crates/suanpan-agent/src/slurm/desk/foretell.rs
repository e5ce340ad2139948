//! When a job would start if it were submitted now, by Slurm's own word: so that one whose inputs
//! are still on their way is submitted as soon as it would wait for longer than they need.

use super::{Desk, Task};
use crate::slurm::client::{self, ASK_LIMIT};
use crate::slurm::parse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use suanpan_model::id::AllocationId;

/// Least time between two questions, whichever jobs they are for.
const PERIOD: Duration = Duration::from_secs(5);

/// How long an answer is believed.
const VALID: Duration = Duration::from_secs(60);

/// Questions and answers.
#[derive(Default)]
pub(super) struct Foretell {
    wanted: Option<Task>,
    asked: Option<Instant>,
    answers: BTreeMap<AllocationId, (Instant, Option<Duration>)>,
}

impl Foretell {
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    pub(super) fn take(&mut self) -> Option<Task> {
        let task = self.wanted.take()?;
        self.asked = Some(Instant::now());
        Some(task)
    }
}

impl Desk {
    /// How long a job would wait, if Slurm said so in the last minute. Otherwise it is asked,
    /// unless it was for this or another job a moment ago; `task` is made only then.
    pub fn foretell(
        &self,
        id: AllocationId,
        task: impl FnOnce() -> Option<Task>,
    ) -> Option<Duration> {
        let mut state = self.state();
        let foretell = &mut state.foretell;
        foretell.answers.retain(|_, (asked, _)| asked.elapsed() < VALID);
        if let Some((_, wait)) = foretell.answers.get(&id) {
            return *wait;
        }
        if foretell.wanted.is_none() && foretell.asked.is_none_or(|at| at.elapsed() > PERIOD) {
            foretell.wanted = task();
            self.acting.notify_one();
        }
        None
    }

    /// Asks for one job.
    pub(super) fn ask_start(&self, task: &Task) {
        let mut list = vec!["--test-only".to_owned()];
        list.extend(task.words.iter().cloned());
        list.push(task.dir.file(crate::slurm::store::name::SITE_SCRIPT).display().to_string());
        let asked = Instant::now();
        // The answer is on standard error.
        let answer = client::run_both("sbatch", &list, ASK_LIMIT);
        let now = jiff::Zoned::now().datetime();
        let wait = match answer {
            Ok([_, said]) => parse::test_only(&said).map(|start| {
                let seconds = now.duration_until(start).as_secs();
                Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
            }),
            Err(trouble) => {
                // What is wrong with it is said when it is submitted.
                tracing::debug!(%trouble, "sbatch --test-only");
                None
            }
        };
        self.state().foretell.answers.insert(task.allocation, (asked, wait));
    }
}
