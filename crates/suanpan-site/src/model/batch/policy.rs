//! Which policy a batch site has, and the queue that it keeps.

use super::Convention;
use serde::{Deserialize, Serialize};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::order::list_order::ListOrder;
use suanpan_sched::order::waiting::{By, Waiting, WaitingList};
use suanpan_sched::policy::accasim_easy::AccaSimEasy;
use suanpan_sched::policy::conservative_backfill::ConservativeBackfill;
use suanpan_sched::policy::easy_backfill::{EasyBackfill, Ends};
use suanpan_sched::policy::fcfs;
use suanpan_sched::policy::learnt_backfill::LearntBackfill;
use suanpan_sched::predict::JobFeatures;
use suanpan_sched::timeline::profile::Profile;

/// Which waiting job starts, as the literature names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BatchPolicy {
    /// In order, without backfill: FCFS, SJF and the other list policies.
    List {
        /// The order of the queue.
        #[serde(default)]
        order: ListOrder,
    },
    /// EASY; with `scan` shortest first, EASY-SJBF.
    EasyBackfill {
        /// The order of the queue, whose first job is promised a start.
        #[serde(default)]
        order: ListOrder,
        /// The order in which the others are tried; that of the queue if there is none.
        #[serde(default)]
        scan: Option<ListOrder>,
    },
    /// Every job is promised a start.
    ConservativeBackfill {
        /// The order of the queue.
        #[serde(default)]
        order: ListOrder,
    },
    /// The first jobs are promised a start: 1 is EASY's promise, no limit is conservative.
    HybridBackfill {
        /// The order of the queue.
        #[serde(default)]
        order: ListOrder,
        /// How many.
        reservation_depth: u32,
    },
    /// EASY, the queue ordered by what was learnt from the jobs that ended
    /// (see [`suanpan_sched::policy::learnt_backfill`]).
    LearntBackfill,
}

impl BatchPolicy {
    /// First come, first served.
    pub const FCFS: BatchPolicy = BatchPolicy::List { order: ListOrder::Fcfs };
    /// Plain EASY.
    pub const EASY: BatchPolicy = BatchPolicy::EasyBackfill { order: ListOrder::Fcfs, scan: None };
    /// EASY whose backfill takes the shortest job first.
    pub const EASY_SJBF: BatchPolicy =
        BatchPolicy::EasyBackfill { order: ListOrder::Fcfs, scan: Some(ListOrder::ShortestFirst) };
    /// Plain conservative backfill.
    pub const CONSERVATIVE: BatchPolicy =
        BatchPolicy::ConservativeBackfill { order: ListOrder::Fcfs };

    /// A job as the policy sees it; its slot is still to be filled in.
    pub(super) fn waiting(self, job: &JobFeatures, hold: Seconds) -> Waiting {
        let (order, scan) = match self {
            BatchPolicy::EasyBackfill { order, scan } => (order, scan),
            BatchPolicy::List { order }
            | BatchPolicy::ConservativeBackfill { order }
            | BatchPolicy::HybridBackfill { order, .. } => (order, None),
            BatchPolicy::LearntBackfill => (ListOrder::Fcfs, None),
        };
        Waiting {
            rank: order.rank(job, hold),
            scan_rank: scan.map_or(0, |scan| scan.rank(job, hold)),
            sequence: job.sequence,
            processors: job.processors,
            hold,
            slot: 0,
        }
    }
}

/// The waiting jobs of a site, under its policy.
#[derive(Clone, Debug)]
pub(super) enum Queue {
    List(WaitingList),
    Easy { queue: EasyBackfill, has_scan: bool },
    Conservative(ConservativeBackfill),
    AccaSim(AccaSimEasy),
    Learnt(LearntBackfill),
}

impl Queue {
    pub(super) fn new(policy: BatchPolicy, convention: Convention) -> Queue {
        match (policy, convention) {
            (BatchPolicy::List { .. }, _) => Queue::List(WaitingList::new(By::Rank)),
            (BatchPolicy::EasyBackfill { .. }, Convention::AccaSim) => {
                Queue::AccaSim(AccaSimEasy::default())
            }
            (BatchPolicy::EasyBackfill { scan, .. }, _) => {
                let by = if scan.is_some() { By::ScanRank } else { By::Rank };
                let queue = EasyBackfill::new(by);
                let queue = match convention {
                    Convention::Alea => queue.ending(Ends::Before),
                    Convention::Instant | Convention::Pyss | Convention::AccaSim => queue,
                };
                Queue::Easy { queue, has_scan: scan.is_some() }
            }
            (BatchPolicy::ConservativeBackfill { .. }, _) => {
                Queue::Conservative(ConservativeBackfill::new(usize::MAX))
            }
            (BatchPolicy::HybridBackfill { reservation_depth, .. }, _) => {
                Queue::Conservative(ConservativeBackfill::new(reservation_depth as usize))
            }
            (BatchPolicy::LearntBackfill, _) => Queue::Learnt(LearntBackfill::default()),
        }
    }

    /// Takes note of how long a job ran that ended.
    pub(super) fn learn(&mut self, job: &JobFeatures, run: Seconds) {
        if let Queue::Learnt(queue) = self {
            queue.learn(job, run);
        }
    }

    pub(super) fn submit(
        &mut self,
        now: Timestamp,
        job: Waiting,
        features: &JobFeatures,
        profile: &mut Profile,
    ) {
        match self {
            Queue::List(waiting) => waiting.insert(job),
            Queue::Easy { queue, .. } => queue.submit(job),
            Queue::Conservative(queue) => queue.submit(now, job, profile),
            Queue::AccaSim(queue) => queue.submit(job),
            Queue::Learnt(queue) => queue.submit(job, *features),
        }
    }

    pub(super) fn withdraw(&mut self, now: Timestamp, job: &Waiting, profile: &mut Profile) {
        match self {
            Queue::List(waiting) => _ = waiting.remove(job),
            Queue::Easy { queue, .. } => queue.withdraw(job),
            Queue::Conservative(queue) => queue.withdraw(now, job, profile),
            Queue::AccaSim(queue) => queue.withdraw(job),
            Queue::Learnt(queue) => queue.withdraw(job),
        }
    }

    /// Jobs ended, and the profile knows it.
    pub(super) fn ended(&mut self, now: Timestamp, profile: &mut Profile) {
        match self {
            Queue::List(_) | Queue::AccaSim(_) | Queue::Learnt(_) => {}
            Queue::Easy { queue, .. } => queue.disturb(),
            Queue::Conservative(queue) => queue.compress(now, profile),
        }
    }

    /// Jobs are expected to end later than before, and the profile knows it.
    pub(super) fn corrected(&mut self, now: Timestamp, profile: &mut Profile) {
        match self {
            Queue::List(_) | Queue::AccaSim(_) | Queue::Learnt(_) => {}
            Queue::Easy { queue, .. } => queue.disturb(),
            Queue::Conservative(queue) => queue.replan(now, profile),
        }
    }

    /// Whether pyss asks the policy at a submission even if the job is wider than what is free.
    pub(super) fn asks_on_submission(&self, predicted: bool) -> bool {
        match self {
            Queue::Easy { has_scan, .. } => *has_scan && predicted,
            Queue::List(_) | Queue::Conservative(_) | Queue::AccaSim(_) | Queue::Learnt(_) => true,
        }
    }

    /// When a job starts by itself. AccaSim wakes up for that only if nothing else will happen.
    pub(super) fn next_start(&self, nothing_else: bool) -> Option<Timestamp> {
        match self {
            Queue::List(_) | Queue::Easy { .. } | Queue::Learnt(_) => None,
            Queue::Conservative(queue) => queue.next_start(),
            Queue::AccaSim(queue) => queue.blocked_until().filter(|_| nothing_else),
        }
    }

    /// The pass of policies that choose among what waits; it may be made several times in an
    /// instant.
    pub(super) fn pass_within(
        &mut self,
        now: Timestamp,
        profile: &mut Profile,
        start: &mut impl FnMut(Waiting),
    ) {
        match self {
            Queue::List(waiting) => fcfs::start_in_order(now, waiting, profile, start),
            Queue::Easy { queue, .. } => queue.pass(now, profile, start),
            Queue::AccaSim(queue) => queue.pass(now, profile, start),
            Queue::Learnt(queue) => queue.pass(now, profile, start),
            Queue::Conservative(_) => {}
        }
    }

    /// The pass of policies that keep promises, at the end of an instant.
    pub(super) fn pass_last(
        &mut self,
        now: Timestamp,
        profile: &mut Profile,
        start: &mut impl FnMut(Waiting),
    ) {
        match self {
            Queue::Conservative(queue) => queue.pass(now, profile, start),
            Queue::List(_) | Queue::Easy { .. } | Queue::AccaSim(_) | Queue::Learnt(_) => {}
        }
    }
}
