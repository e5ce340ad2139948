//! Free processors of one machine over time: the scalar timeline of a batch site.
//!
//! A [`Profile`] is a step function: from a moment on, so many processors are free. Running jobs
//! hold theirs until they are expected to end, promised jobs from their promised start. The
//! node-wise timeline of [`super`] is exact for many resources; this one is for a pool of
//! identical processors, where one number says everything, and it is fast.
//!
//! Steps lie in chunks of at most [`Chunk::MOST`]; a chunk knows bounds of what is free in it, and
//! carries an amount that is added to all of its steps. So a search skips chunks that never fit or
//! always fit, and a change over a long time touches each chunk between once. Most changes lie in
//! one chunk, and are made there in one go.
//!
//! Complexity, with `n` steps, `B` = [`Chunk::MOST`] and `w` windows that are too short:
//!
//! | operation | time |
//! | --- | --- |
//! | [`Profile::free_at`] | O(log n) |
//! | [`Profile::earliest`], [`Profile::earliest_before`], [`Profile::fits`] | O(n/B + (w + 1) B) |
//! | [`Profile::take`], [`Profile::release`] | O(n/B + B) |
//! | [`Profile::forget_before`] | O(1) amortized over the steps that are dropped |

use suanpan_model::time::{Seconds, Timestamp};

#[cfg(test)]
mod tests;

/// Free processors over time.
#[derive(Clone, Debug)]
pub struct Profile {
    /// At least one, none empty; times rise strictly through all of them.
    chunks: Vec<Chunk>,
    /// In the first chunk, the step that held when time last passed. Nearly every question is about
    /// that moment, and is looked for from here on; changes may leave it a step or two behind.
    current: usize,
}

/// From `at` on, until the next step, `free` and the chunk's `added` are free.
#[derive(Clone, Copy, Debug)]
struct Step {
    at: Timestamp,
    free: i64,
}

#[derive(Clone, Debug)]
struct Chunk {
    steps: Vec<Step>,
    /// What counts for every step besides its own.
    added: i64,
    /// Not more than the least and not less than the most that is free in it, `added` left out.
    least: i64,
    most: i64,
    /// Changes since these bounds were exact.
    loosened: u32,
}

/// Index of a step: chunk, and place in it.
type Place = (usize, usize);

impl Profile {
    /// The profile of a machine with `free` processors from `now` on, for ever.
    #[must_use]
    pub fn new(now: Timestamp, free: u32) -> Profile {
        let step = Step { at: now, free: i64::from(free) };
        Profile { chunks: vec![Chunk::new(vec![step])], current: 0 }
    }

    /// What is free at a moment; before the first step, what is free there. Never negative.
    #[must_use]
    pub fn free_at(&self, at: Timestamp) -> u32 {
        let (chunk, step) = self.place_of(at);
        u32::try_from(self.chunks[chunk].free(step).max(0)).unwrap_or(u32::MAX)
    }

    /// Earliest start not before `from` at which `processors` are free for all of `hold`; `None`
    /// if there never are so many.
    #[must_use]
    pub fn earliest(&self, from: Timestamp, processors: u32, hold: Seconds) -> Option<Timestamp> {
        self.search(from, processors, hold, Timestamp::MAX)
    }

    /// Earliest start before `promised` to which a job may move that holds `processors` from
    /// `promised` on for `hold` already: what it holds itself does not stand in its way.
    #[must_use]
    pub fn earliest_before(
        &self,
        from: Timestamp,
        processors: u32,
        hold: Seconds,
        promised: Timestamp,
    ) -> Option<Timestamp> {
        self.search(from, processors, hold, promised)
    }

    /// Whether `processors` are free from `from` for all of `hold`.
    #[must_use]
    pub fn fits(&self, from: Timestamp, processors: u32, hold: Seconds) -> bool {
        let (need, until) = (i64::from(processors), from.plus(hold));
        let (first, mut at) = self.place_of(from);
        for chunk in &self.chunks[first..] {
            if chunk.steps[at].at >= until {
                return true;
            }
            if at > 0 || chunk.least + chunk.added < need {
                for step in &chunk.steps[at..] {
                    if step.at >= until {
                        return true;
                    }
                    if step.free + chunk.added < need {
                        return false;
                    }
                }
            }
            at = 0;
        }
        true
    }

    /// Takes `processors` from `from` until just before `until`. The caller has found that they
    /// are free, or knows that their holder keeps them.
    pub fn take(&mut self, from: Timestamp, until: Timestamp, processors: u32) {
        self.change(from, until, -i64::from(processors));
    }

    /// Gives back `processors` that were taken from `from` until just before `until`.
    pub fn release(&mut self, from: Timestamp, until: Timestamp, processors: u32) {
        self.change(from, until, i64::from(processors));
    }

    /// Forgets steps that are over at `now`; nobody may ask about the time before any more.
    pub fn forget_before(&mut self, now: Timestamp) {
        let (chunk, step) = self.place_of(now);
        if chunk > 0 {
            self.chunks.drain(..chunk);
        }
        // Moving the rest of a chunk costs its length, so it must be worth it.
        let first = &mut self.chunks[0];
        self.current = step;
        if step > Chunk::MOST / 8 {
            first.steps.drain(..step);
            first.summarize();
            self.current = 0;
        }
    }

    /// Number of steps that are kept, for tests and benchmarks.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.steps.len()).sum()
    }

    /// The first start in `from..limit` from which `processors` are free for all of `hold` or up
    /// to `limit`.
    fn search(
        &self,
        from: Timestamp,
        processors: u32,
        hold: Seconds,
        limit: Timestamp,
    ) -> Option<Timestamp> {
        let need = i64::from(processors);
        let (first, mut at) = self.place_of(from);
        // A start that fits so far, and until when it has to.
        let mut open: Option<(Timestamp, Timestamp)> = None;
        for chunk in &self.chunks[first..] {
            let beginning = chunk.steps[at].at;
            if beginning >= limit || open.is_some_and(|(_, until)| beginning >= until) {
                break;
            }
            if at == 0 && chunk.most + chunk.added < need {
                open = None;
                continue;
            }
            if at == 0 && chunk.least + chunk.added >= need {
                open.get_or_insert_with(|| window(beginning.max(from), hold));
                continue;
            }
            for step in &chunk.steps[at..] {
                if step.at >= limit || open.is_some_and(|(_, until)| step.at >= until) {
                    return open.map(|(start, _)| start);
                }
                if step.free + chunk.added < need {
                    open = None;
                } else if open.is_none() {
                    open = Some(window(step.at.max(from), hold));
                }
            }
            at = 0;
        }
        open.map(|(start, _)| start)
    }

    fn change(&mut self, from: Timestamp, until: Timestamp, by: i64) {
        if from >= until || self.change_inside(from, until, by) {
            return;
        }
        self.split(until);
        self.split(from);
        let (first, from_step) = self.place_of(from);
        let (last, end_step) = self.end_of(until);
        for (index, chunk) in self.chunks.iter_mut().enumerate().take(last + 1).skip(first) {
            let begin = if index == first { from_step } else { 0 };
            let end = if index == last { end_step } else { chunk.steps.len() };
            chunk.change(begin, end, by);
        }
        self.join(until);
        self.join(from);
    }

    /// Makes a change that begins and ends in one chunk with room for both; whether it did.
    fn change_inside(&mut self, from: Timestamp, until: Timestamp, by: i64) -> bool {
        let (index, step) = self.place_of(from);
        let is_beyond = self.chunks.get(index + 1).is_some_and(|next| next.steps[0].at <= until);
        let chunk = &mut self.chunks[index];
        // What begins with a chunk may have to be joined with the chunk before.
        let is_at_edge = index > 0 && chunk.steps[0].at == from;
        if is_beyond || is_at_edge || chunk.steps.len() + 2 > Chunk::MOST {
            return false;
        }
        chunk.change_between(step, from, until, by);
        true
    }

    fn chunk_of(&self, at: Timestamp) -> usize {
        match self.chunks.len() {
            1 => 0,
            _ => self.chunks.partition_point(|chunk| chunk.steps[0].at <= at).saturating_sub(1),
        }
    }

    /// Place of the step that holds at a moment.
    fn place_of(&self, at: Timestamp) -> Place {
        let chunk = self.chunk_of(at);
        let steps = &self.chunks[chunk].steps;
        let is_later = chunk == 0 && steps.get(self.current).is_some_and(|step| step.at <= at);
        let from = if is_later { self.current } else { 0 };
        let near = steps[from..].iter().take(4).take_while(|step| step.at <= at).count();
        let beyond = match near {
            4 => from + steps[from..].partition_point(|step| step.at <= at),
            near => from + near,
        };
        (chunk, beyond.saturating_sub(1))
    }

    /// Place just after the last step before `until`, in that step's chunk.
    fn end_of(&self, until: Timestamp) -> Place {
        let chunk = self.chunks.partition_point(|chunk| chunk.steps[0].at < until) - 1;
        (chunk, self.chunks[chunk].steps.partition_point(|step| step.at < until))
    }

    /// Makes a step begin at `at`, unless that is before the first or at the end of time.
    fn split(&mut self, at: Timestamp) {
        if at == Timestamp::MAX {
            return;
        }
        let (chunk, step) = self.place_of(at);
        let steps = &mut self.chunks[chunk].steps;
        if steps[step].at >= at {
            return;
        }
        let free = steps[step].free;
        steps.insert(step + 1, Step { at, free });
        if steps.len() > Chunk::MOST {
            let upper = steps.split_off(Chunk::MOST / 2);
            let mut upper = Chunk::new(upper);
            upper.added = self.chunks[chunk].added;
            self.chunks[chunk].summarize();
            self.chunks.insert(chunk + 1, upper);
        }
    }

    /// Removes the step that begins at `at` if nothing changes there.
    fn join(&mut self, at: Timestamp) {
        let (chunk, step) = self.place_of(at);
        let here = &self.chunks[chunk];
        let before = match (chunk, step) {
            (0, 0) => return,
            (_, 0) => self.chunks[chunk - 1].free(self.chunks[chunk - 1].steps.len() - 1),
            _ => here.free(step - 1),
        };
        if here.steps[step].at != at || here.free(step) != before {
            return;
        }
        let steps = &mut self.chunks[chunk].steps;
        steps.remove(step);
        if steps.is_empty() {
            self.chunks.remove(chunk);
        } else if step == 0 {
            self.chunks[chunk].summarize();
        }
    }
}

/// A start, and until when it holds what it takes.
fn window(start: Timestamp, hold: Seconds) -> (Timestamp, Timestamp) {
    (start, start.plus(hold))
}

impl Chunk {
    /// Most steps of a chunk: scanning so many costs about as much as the chunks of a profile of
    /// some ten thousand jobs.
    const MOST: usize = 256;
    /// After so many changes of parts the bounds are made exact: rarely enough to cost next to
    /// nothing, often enough that a search is seldom misled.
    const LOOSENED: u32 = 16;

    fn new(steps: Vec<Step>) -> Chunk {
        let mut chunk = Chunk { steps, added: 0, least: 0, most: 0, loosened: 0 };
        chunk.summarize();
        chunk
    }

    fn free(&self, step: usize) -> i64 {
        self.steps[step].free + self.added
    }

    fn change(&mut self, begin: usize, end: usize, by: i64) {
        if begin == 0 && end == self.steps.len() {
            self.added += by;
            return;
        }
        for step in &mut self.steps[begin..end] {
            step.free += by;
        }
        self.loosen(by);
    }

    /// A change that does not reach beyond this chunk; `step` holds where it begins. A step begins
    /// there and one where it ends, unless nothing changes there.
    fn change_between(&mut self, step: usize, from: Timestamp, until: Timestamp, by: i64) {
        let steps = &mut self.steps;
        let mut begin = step;
        if steps[step].at < from {
            begin += 1;
            let free = steps[step].free;
            steps.insert(begin, Step { at: from, free });
        }
        let end = begin + steps[begin..].partition_point(|step| step.at < until);
        if begin == end {
            return;
        }
        if until < Timestamp::MAX && steps.get(end).is_none_or(|step| step.at > until) {
            let free = steps[end - 1].free;
            steps.insert(end, Step { at: until, free });
        }
        for step in &mut steps[begin..end] {
            step.free += by;
        }
        for at in [end, begin] {
            if at > 0 && steps.get(at).is_some_and(|step| step.free == steps[at - 1].free) {
                steps.remove(at);
            }
        }
        self.loosen(by);
    }

    /// Keeps the bounds after a change of a part.
    fn loosen(&mut self, by: i64) {
        self.least += by.min(0);
        self.most += by.max(0);
        self.loosened += 1;
        if self.loosened >= Chunk::LOOSENED {
            self.summarize();
        }
    }

    fn summarize(&mut self) {
        (self.least, self.most, self.loosened) = (i64::MAX, i64::MIN, 0);
        for step in &self.steps {
            self.least = self.least.min(step.free);
            self.most = self.most.max(step.free);
        }
    }
}
