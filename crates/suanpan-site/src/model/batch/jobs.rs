//! The jobs that wait or run, each in a numbered slot that is used again when it is gone, and what
//! happens to them.

use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::order::waiting::Waiting;
use suanpan_sched::predict::JobFeatures;

/// Something that happened at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happened {
    /// The job.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: What,
}

/// What happened to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It got its processors.
    Started {
        /// How long it was expected to run.
        expected: Seconds,
    },
    /// It gave them back.
    Ended,
}

/// A job that waits or runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    /// The caller's name for it.
    pub(super) id: u64,
    pub(super) features: JobFeatures,
    /// How long it really runs.
    pub(super) run: Seconds,
    /// As the policy sees it; its `hold` is how long it is expected to run in all.
    pub(super) waiting: Waiting,
    /// If it runs.
    pub(super) running: Option<Running>,
}

/// What is known of a job once it runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running {
    pub(super) start: Timestamp,
    /// How often it outlived its expected run time.
    pub(super) corrections: u32,
}

/// Jobs by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    jobs: Vec<Option<Live>>,
    free: Vec<u32>,
}

impl Slots {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.jobs.len() - self.free.len()
    }

    /// Keeps a job, and tells its slot.
    pub(super) fn insert(&mut self, job: Live) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.jobs[slot as usize] = Some(job);
            return slot;
        }
        self.jobs.push(Some(job));
        u32::try_from(self.jobs.len() - 1).expect("fewer than four billion jobs wait or run")
    }

    /// Writes a job's slot into its view for the policy, and gives that.
    pub(super) fn name(&mut self, slot: u32) -> Waiting {
        let job = self.get_mut(slot).expect("the job was just taken in");
        job.waiting.slot = slot;
        job.waiting
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Live> {
        self.jobs.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Live> {
        self.jobs.get_mut(slot as usize)?.as_mut()
    }

    pub(super) fn remove(&mut self, slot: u32) -> Live {
        self.free.push(slot);
        self.jobs[slot as usize].take().expect("a slot that is removed holds a job")
    }

    /// All jobs.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        self.jobs.iter().flatten()
    }
}
