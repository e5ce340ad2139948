//! In which order things happen that happen at one instant.

use serde::{Deserialize, Serialize};
use suanpan_model::time::{Seconds, Timestamp};

/// In which order things happen that happen at one instant, and how often the policy is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// Jobs end, then expected run times are corrected, then jobs are submitted, then the policy
    /// is asked once. What a real workload manager does that looks at its queue periodically.
    #[default]
    Instant,
    /// As pyss and predictsim (Gaussier et al., "Improving Backfilling by Using Machine Learning
    /// to Predict Running Times", SC'15): corrections, then submissions, then ends, and the policy
    /// is asked after each submission and each end; jobs with promised starts start last. A job
    /// that is expected to end at this instant has already given its processors back when others
    /// are submitted. A submission under EASY whose job is wider than what is free does not ask
    /// the policy, except under EASY++.
    Pyss,
    /// As [`Convention::Instant`], and EASY as AccaSim has it
    /// (see [`suanpan_sched::policy::accasim_easy`]).
    AccaSim,
    /// FCFS and EASY as Alea has them (Klusáček and Rudová, "Alea 2 – Job Scheduling Simulator",
    /// SIMUTools 2010; github.com/aleasimulator/alea at commit b7c6cc4d, below
    /// `Alea/src/xklusac`), on one cluster without failures, memory and job properties:
    ///
    /// - A job holds its processors for its run time in whole seconds, at least one, *and one
    ///   second more* (`environment/AdvancedSpaceShared.java`, `allocatePEtoGridlet`: the end is
    ///   foreseen at `(int) (time + 1)`). Whenever one job's end is due, also after that job has
    ///   gone, every job whose run time is over ends with it (`checkGridletCompletion`), so some
    ///   end in that extra second. A job is cut to its limit (`gridletSubmit`).
    /// - What a job is expected to hold is its limit alone, or with exact estimates its run time
    ///   (`environment/GridletInfo.java`, `getJobRuntime`); a job past it is expected to end now
    ///   (`environment/ResourceInfo.java`, `predictFirstFreeSlots`).
    /// - A job goes ahead of the first one only if it ends *strictly* before the shadow start, or
    ///   on processors that are spare then (`algorithms/queue_based/multi_queue/
    ///   EASY_Backfilling.java`, `findResourceBF`). One job starts at a time and the queue is gone
    ///   through anew; with one cluster that comes to one pass.
    /// - The scheduler hears of submissions before ends of the same instant, because an end is
    ///   told to it in a message of its own (`environment/Scheduler.java`, `body`).
    ///
    /// What Alea sends takes time there, some milliseconds for each job at its usual baud rate,
    /// and none here. Its bounded slowdown is ours (`environment/ResultCollector.java`), of the
    /// run time with the second more.
    Alea,
}

impl Convention {
    /// How long a job holds its processors that runs for `run`.
    pub(super) fn held(self, run: Seconds) -> Seconds {
        match self {
            Convention::Alea => Seconds(run.0.max(1).saturating_add(1)),
            Convention::Instant | Convention::Pyss | Convention::AccaSim => run,
        }
    }

    /// Until when jobs end together with those that end now.
    pub(super) fn ends_together(self, now: Timestamp) -> Timestamp {
        match self {
            Convention::Alea => now.plus(Seconds(1)),
            Convention::Instant | Convention::Pyss | Convention::AccaSim => now,
        }
    }

    /// Whether ends come before submissions of the same instant.
    pub(super) fn ends_come_first(self) -> bool {
        matches!(self, Convention::Instant | Convention::AccaSim)
    }

    /// Whether the policy is asked because a job outlives its expected run time. Under Alea's it
    /// only hears of submissions and ends.
    pub(super) fn asks_when_corrected(self) -> bool {
        matches!(self, Convention::Instant | Convention::AccaSim)
    }
}
