//! The canonical runs of a union of ranges with steps.
//!
//! Ranges that overlap are merged by their next index, and the merged indices are gathered into
//! runs. What keeps this from listing every index is that a run which has lasted for a while is
//! extended at once: as far as a few of the ranges cover it by their steps, and nothing comes
//! between. So the work follows the number of runs rather than of indices. It cannot do so always,
//! since whether ranges with steps leave a gap between them is an NP-hard question (simultaneous
//! incongruences); what is listed is therefore limited.

use super::ArraySpec;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

/// `count` indices from `start` in steps of `step`, preceded by `before` indices in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Run {
    pub start: u32,
    pub step: u32,
    pub count: u32,
    pub before: u32,
}

impl Run {
    pub(super) fn last(self) -> u32 {
        self.start + self.step * (self.count - 1)
    }
}

/// The canonical runs of the union of ranges sorted by start, and how many indices were listed
/// to find them. `None` if that were more than [`ArraySpec::INTERLEAVED_MAX`].
pub(super) fn union(ranges: &[Run]) -> Option<(Vec<Run>, u64)> {
    let mut out = Compressor::default();
    let mut listed = 0;
    let mut next = 0;
    while next < ranges.len() {
        let mut end = next + 1;
        let mut last = ranges[next].last();
        while end < ranges.len() && ranges[end].start <= last {
            last = last.max(ranges[end].last());
            end += 1;
        }
        let group = &ranges[next..end];
        if let [range] = group {
            out.push_run(*range);
        } else if group.iter().all(|range| range.step == 1) {
            let start = ranges[next].start;
            out.push_run(Run { start, step: 1, count: last - start + 1, before: 0 });
        } else {
            listed = Merge::new(group, listed).run(&mut out)?;
        }
        next = end;
    }
    Some((out.finish(), listed))
}

/// What is left of a range: its next index, its step, its last index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rest {
    next: u32,
    step: u32,
    last: u32,
}

impl Rest {
    /// The same without its indices up to `index`.
    fn after(self, index: u32) -> Option<Rest> {
        if index < self.next {
            return Some(self);
        }
        let steps = (index - self.next) / self.step + 1;
        // In 64 bits, because it may lie behind the last 32-bit number.
        let next = u64::from(self.next) + u64::from(steps) * u64::from(self.step);
        let next = u32::try_from(next).ok().filter(|next| *next <= self.last)?;
        Some(Rest { next, ..self })
    }
}

/// Merges ranges that overlap.
struct Merge<'a> {
    /// Ranges that have not begun, sorted by start.
    waiting: &'a [Run],
    begun: BinaryHeap<Reverse<Rest>>,
    /// Indices of ranges taken one by one, also by earlier merges.
    listed: u64,
    /// Indices pushed since the set of ranges or the run changed.
    steady: usize,
    /// After how many of them extending the run is tried (again).
    patience: usize,
}

/// A run of fewer indices than this is not worth extending.
const SHORT: usize = 4;

impl<'a> Merge<'a> {
    fn new(group: &'a [Run], listed: u64) -> Self {
        let begun = BinaryHeap::new();
        Self { waiting: group, begun, listed, steady: 0, patience: SHORT }
    }

    /// Pushes the union of all ranges; how many indices were listed by then.
    fn run(mut self, out: &mut Compressor) -> Option<u64> {
        while let Some(index) = self.next_index() {
            if self.listed > ArraySpec::INTERLEAVED_MAX {
                return None;
            }
            let runs = out.done.len();
            out.push(index);
            self.steady = if out.done.len() == runs { self.steady + 1 } else { 0 };
            if self.steady == 0 {
                self.patience = SHORT;
            }
            // An attempt looks at every range and as many indices as were pushed, so that all
            // attempts together cost no more than the pushes.
            if self.steady >= self.patience.max(self.begun.len()) {
                match out.current.filter(|run| run.count as usize > SHORT) {
                    Some(run) if self.extend(run, out) => (self.steady, self.patience) = (0, SHORT),
                    _ => self.patience = 2 * self.steady,
                }
            }
        }
        Some(self.listed)
    }

    /// Takes the smallest index out of every range that has it next.
    fn next_index(&mut self) -> Option<u32> {
        while let Some((range, others)) = self.waiting.split_first()
            && self.begun.peek().is_none_or(|Reverse(rest)| range.start <= rest.next)
        {
            let Run { start, step, .. } = *range;
            self.begun.push(Reverse(Rest { next: start, step, last: range.last() }));
            self.waiting = others;
            (self.steady, self.patience) = (0, SHORT);
        }
        let Reverse(Rest { next: index, .. }) = *self.begun.peek()?;
        while let Some(mut top) = self.begun.peek_mut()
            && top.0.next == index
        {
            self.listed += 1;
            match top.0.after(index) {
                Some(rest) => *top = Reverse(rest),
                None => drop(PeekMut::pop(top)),
            }
        }
        Some(index)
    }

    /// Extends the run over the indices that are certain to continue it; whether there were any.
    fn extend(&mut self, run: Run, out: &mut Compressor) -> bool {
        let Some(count) = self.certain(run) else { return false };
        let current = out.current.as_mut().expect("it was just asked for");
        current.count += count;
        let last = current.last();
        let rests = self.begun.drain().filter_map(|Reverse(rest)| rest.after(last));
        self.begun = rests.map(Reverse).collect::<Vec<_>>().into();
        true
    }

    /// How many more indices surely continue the run.
    fn certain(&self, run: Run) -> Option<u32> {
        let (last, step) = (run.last(), run.step);
        // The first index that might not continue it.
        let mut end = self.waiting.first().map_or(u64::MAX, |range| u64::from(range.start));
        let mut covers = Vec::new();
        for Reverse(rest) in &self.begun {
            let distance = rest.next - last;
            if !distance.is_multiple_of(step) {
                end = end.min(u64::from(rest.next));
            } else if !rest.step.is_multiple_of(step) {
                end = end.min(u64::from(rest.next) + u64::from(rest.step));
            } else {
                let period = rest.step / step;
                covers.push(Cover { period, phase: (distance / step) % period, last: rest.last });
            }
        }
        end = end.min(covered_to(covers, self.steady)?);
        // At least one index before `end` is not in the run yet.
        let count = (end.checked_sub(u64::from(last) + 1)?) / u64::from(step);
        u32::try_from(count).ok().filter(|count| *count > 0)
    }
}

/// A range as the run sees it: it has every `period`th index of the run, up to `last`.
#[derive(Debug, Clone, Copy)]
struct Cover {
    period: u32,
    phase: u32,
    last: u32,
}

/// The first index that the ranges might leave open, looking at no more than about `work` of the
/// run's indices. `None` if they leave one open before they repeat, or repeat too late.
fn covered_to(mut covers: Vec<Cover>, work: usize) -> Option<u64> {
    // Of equal ones the longest is kept.
    covers.sort_unstable_by_key(|cover| (cover.period, cover.phase, Reverse(cover.last)));
    covers.dedup_by_key(|cover| (cover.period, cover.phase));
    let (mut window, mut used) = (1u64, 0);
    for cover in &covers {
        let longer = window / gcd(window, cover.period.into()) * u64::from(cover.period);
        if longer > work as u64 {
            break;
        }
        (window, used) = (longer, used + 1);
    }
    let window = usize::try_from(window).expect("no longer than the work");
    let mut open = window;
    let mut marks = vec![false; window];
    let mut end = u64::MAX;
    let mut left = 4 * work;
    for cover in &covers[..used] {
        let mut is_used = false;
        for at in (cover.phase as usize..window).step_by(cover.period as usize) {
            left = left.checked_sub(1)?;
            if !marks[at] {
                (marks[at], is_used) = (true, true);
                open -= 1;
            }
        }
        if is_used {
            end = end.min(u64::from(cover.last) + 1);
        }
        if open == 0 {
            return Some(end);
        }
    }
    None
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Builds runs from ascending indices: the longest run from the left, where a run of two is kept
/// only if its indices are neighbours. The result depends on the indices alone.
#[derive(Default)]
struct Compressor {
    done: Vec<Run>,
    current: Option<Run>,
}

impl Compressor {
    fn push(&mut self, index: u32) {
        let Some(mut run) = self.current else {
            self.current = Some(Run { start: index, step: 1, count: 1, before: 0 });
            return;
        };
        let gap = index - run.last();
        if run.count == 1 {
            run.step = gap;
            run.count = 2;
        } else if gap == run.step {
            run.count += 1;
        } else if run.count == 2 && run.step > 1 {
            let second = run.last();
            self.emit(Run { step: 1, count: 1, ..run });
            run = Run { start: second, step: index - second, count: 2, before: 0 };
        } else {
            self.emit(run);
            run = Run { start: index, step: 1, count: 1, before: 0 };
        }
        self.current = Some(run);
    }

    /// Pushes every index of a run. After three of them the current run has taken over its step,
    /// so the rest is one addition.
    fn push_run(&mut self, run: Run) {
        let single = run.count.min(3);
        (0..single).for_each(|k| self.push(run.start + run.step * k));
        if let Some(current) = &mut self.current {
            current.count += run.count - single;
        }
    }

    fn emit(&mut self, mut run: Run) {
        run.before = self.done.last().map_or(0, |last| last.before + last.count);
        self.done.push(run);
    }

    fn finish(mut self) -> Vec<Run> {
        match self.current {
            Some(run) if run.count == 2 && run.step > 1 => {
                self.emit(Run { step: 1, count: 1, ..run });
                self.emit(Run { start: run.last(), step: 1, count: 1, before: 0 });
            }
            Some(run) => self.emit(run),
            None => {}
        }
        self.done
    }
}
