//! Waiting jobs in an order, searched for the next one that fits a gap.
//!
//! A [`WaitingList`] is a sorted list in blocks of at most [`Block::MOST`] jobs. A block knows the
//! fewest processors and the shortest time that any of its jobs wants, so a backfill passes over
//! blocks in which nothing can fit without looking at their jobs.
//!
//! Complexity, with `n` jobs and `B` = [`Block::MOST`]:
//!
//! | operation | time |
//! | --- | --- |
//! | [`WaitingList::first`] | O(1) |
//! | [`WaitingList::insert`], [`WaitingList::remove`] | O(n/B + B) |
//! | [`WaitingList::next_fitting`] | O(n/B + B) for each block that looks promising |

use suanpan_model::time::Seconds;

#[cfg(test)]
mod tests;

/// A job as a policy sees it while it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its rank in the queue, smaller goes first; see [`super::list_order::ListOrder::rank`].
    pub rank: i64,
    /// Its rank in the scan for backfill, if that has an order of its own.
    pub scan_rank: i64,
    /// Number of the submission: breaks ties, and names the job.
    pub sequence: u64,
    /// Processors it needs.
    pub processors: u32,
    /// How long it is expected to run.
    pub hold: Seconds,
    /// Where its owner keeps the rest of it.
    pub slot: u32,
}

/// By which of its ranks a list is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// [`Waiting::rank`].
    #[default]
    Rank,
    /// [`Waiting::scan_rank`].
    ScanRank,
}

impl By {
    /// What a job is sorted by.
    #[must_use]
    pub fn key(self, job: &Waiting) -> (i64, u64) {
        match self {
            By::Rank => (job.rank, job.sequence),
            By::ScanRank => (job.scan_rank, job.sequence),
        }
    }
}

/// What a backfilled job may use: `free` processors now, of which `spare` are left over even when
/// the promised job has started, which is `window` from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Free processors now.
    pub free: u32,
    /// Time until the shadow start.
    pub window: Seconds,
    /// Processors that stay free at the shadow start.
    pub spare: u32,
}

impl Gap {
    /// Whether a job may start now without delaying the promised one: it ends before the shadow
    /// start, or it uses processors that are spare then.
    #[must_use]
    pub fn admits(&self, processors: u32, hold: Seconds) -> bool {
        processors <= self.free && (hold <= self.window || processors <= self.spare)
    }

    /// What is left after such a job has started.
    #[must_use]
    pub fn without(self, processors: u32, hold: Seconds) -> Gap {
        let spare = if hold <= self.window { self.spare } else { self.spare - processors };
        Gap { free: self.free - processors, spare, ..self }
    }
}

/// Waiting jobs, sorted by a rank, then by submission.
#[derive(Clone, Debug, Default)]
pub struct WaitingList {
    by: By,
    /// None is empty.
    blocks: Vec<Block>,
    count: usize,
}

#[derive(Clone, Debug)]
struct Block {
    jobs: Vec<Waiting>,
    fewest: u32,
    shortest: Seconds,
}

/// A place in a list, from which a search goes on. A change of the list makes it void.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    block: usize,
    job: usize,
}

impl Place {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Place {
        Place { job: self.job + 1, ..self }
    }
}

impl WaitingList {
    /// An empty list.
    #[must_use]
    pub fn new(by: By) -> WaitingList {
        WaitingList { by, ..WaitingList::default() }
    }

    /// By which rank it is sorted.
    #[must_use]
    pub fn by(&self) -> By {
        self.by
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The job that goes first.
    #[must_use]
    pub fn first(&self) -> Option<&Waiting> {
        self.blocks.first().map(|block| &block.jobs[0])
    }

    /// All jobs in order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.blocks.iter().flat_map(|block| &block.jobs)
    }

    /// Takes in a job.
    pub fn insert(&mut self, job: Waiting) {
        self.count += 1;
        if self.blocks.is_empty() {
            self.blocks.push(Block::new(vec![job]));
            return;
        }
        let (by, key) = (self.by, self.by.key(&job));
        let index = self.block_of(key);
        let block = &mut self.blocks[index];
        let at = block.jobs.partition_point(|other| by.key(other) < key);
        block.jobs.insert(at, job);
        block.fewest = block.fewest.min(job.processors);
        block.shortest = block.shortest.min(job.hold);
        if block.jobs.len() > Block::MOST {
            // Jobs mostly come at the end: a full block stays nearly full, and few are needed.
            let cut = if at + 1 == block.jobs.len() { at } else { Block::MOST / 2 };
            let upper = Block::new(block.jobs.split_off(cut));
            block.summarize();
            self.blocks.insert(index + 1, upper);
        }
    }

    /// Removes a job that was taken in; `None` if it is not there.
    pub fn remove(&mut self, job: &Waiting) -> Option<Waiting> {
        let key = self.by.key(job);
        let block = self.block_of(key);
        let jobs = &self.blocks.get(block)?.jobs;
        let at = jobs.binary_search_by_key(&key, |other| self.by.key(other)).ok()?;
        Some(self.remove_at(Place { block, job: at }))
    }

    /// Removes and returns the job that goes first.
    pub fn pop_first(&mut self) -> Option<Waiting> {
        (!self.is_empty()).then(|| self.remove_at(Place::default()))
    }

    /// Removes the job at a place that [`WaitingList::next_fitting`] gave.
    pub fn remove_at(&mut self, place: Place) -> Waiting {
        self.count -= 1;
        let block = &mut self.blocks[place.block];
        let job = block.jobs.remove(place.job);
        if block.jobs.is_empty() {
            self.blocks.remove(place.block);
        } else if job.processors == block.fewest || job.hold == block.shortest {
            block.summarize();
        }
        job
    }

    /// The first job at or after a place that the gap admits, and its place.
    #[must_use]
    pub fn next_fitting(&self, from: Place, gap: &Gap) -> Option<(Place, Waiting)> {
        let mut skip = from.job;
        for (block, found) in self.blocks.iter().enumerate().skip(from.block) {
            if gap.admits(found.fewest, found.shortest) {
                for (job, waiting) in found.jobs.iter().enumerate().skip(skip) {
                    if gap.admits(waiting.processors, waiting.hold) {
                        return Some((Place { block, job }, *waiting));
                    }
                }
            }
            skip = skip.saturating_sub(found.jobs.len());
        }
        None
    }

    /// The last block that does not begin after a key.
    fn block_of(&self, key: (i64, u64)) -> usize {
        let after = self.blocks.partition_point(|block| self.by.key(&block.jobs[0]) <= key);
        after.saturating_sub(1)
    }
}

impl Block {
    const MOST: usize = 128;

    fn new(jobs: Vec<Waiting>) -> Block {
        let mut block = Block { jobs, fewest: 0, shortest: Seconds(0) };
        block.summarize();
        block
    }

    fn summarize(&mut self) {
        (self.fewest, self.shortest) = (u32::MAX, Seconds(u64::MAX));
        for job in &self.jobs {
            self.fewest = self.fewest.min(job.processors);
            self.shortest = self.shortest.min(job.hold);
        }
    }
}
