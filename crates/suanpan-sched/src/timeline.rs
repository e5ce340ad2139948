//! When a request fits: the future free amounts of each node.
//!
//! A [`NodeLine`] is a step function of time: what is free on one node from now on, given what
//! runs there (each allocation is expected to end at its limit) and what is promised. It is exact
//! per node, not summed over a pool, so a promise can be kept whatever the mix of shapes, and a
//! start now needs no second check.
//!
//! Complexity, with `s` steps on a node (allocations running or promised there, each adding at
//! most two) and `n` nodes looked at:
//!
//! | operation | time |
//! | --- | --- |
//! | [`NodeLine::new`] | O(s) from ends kept sorted |
//! | [`NodeLine::earliest`] | O(s) |
//! | [`NodeLine::take`], [`NodeLine::close`] | O(s) |
//! | [`earliest_gang`], one node | O(n s) |
//! | [`earliest_gang`], many nodes | O(n s) mostly, O(w log w) for w ≤ n s start windows at worst |

pub mod profile;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

#[cfg(test)]
mod tests;

/// What is free on one node from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLine {
    /// At least one; the first is now, times rise strictly, the last one holds for ever.
    steps: Vec<Step>,
}

/// From `at` on, until the next step, `free` is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    at: Timestamp,
    free: Tres,
}

/// Start times at which a request fits: from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Earliest start.
    pub first: Timestamp,
    /// Latest start.
    pub last: Timestamp,
}

impl NodeLine {
    /// The line of a node with `free` at `now`, and the given amounts freed later. `ends` rise in
    /// time and are all after `now`. What is taken beyond what there is, `owed`, comes out of what
    /// is freed first.
    pub fn new(
        now: Timestamp,
        free: Tres,
        owed: Tres,
        ends: impl Iterator<Item = (Timestamp, Tres)>,
    ) -> NodeLine {
        let mut owed = owed;
        let mut steps = Vec::with_capacity(ends.size_hint().0 + 3);
        steps.push(Step { at: now, free });
        let mut last = Step { at: now, free };
        for (at, amount) in ends {
            let left = amount.less(&owed);
            owed = owed.less(&amount);
            let free = last.free.plus(&left);
            if at > last.at {
                steps.push(Step { at, free });
            } else {
                let end = steps.len() - 1;
                steps[end].free = free;
            }
            last = Step { at: at.max(last.at), free };
        }
        NodeLine { steps }
    }

    /// What is free now.
    #[must_use]
    pub fn free_now(&self) -> Tres {
        self.steps[0].free
    }

    /// Whether `amount` is free from `from` for all of `hold`.
    #[must_use]
    pub fn fits_at(&self, from: Timestamp, amount: &Tres, hold: Seconds) -> bool {
        let until = from.plus(hold);
        let first = self.steps.partition_point(|step| step.at <= from).saturating_sub(1);
        self.steps[first..]
            .iter()
            .take_while(|step| step.at < until)
            .all(|step| step.free.covers(amount))
    }

    /// What is free at a moment.
    #[must_use]
    pub fn free_at(&self, at: Timestamp) -> Tres {
        let after = self.steps.partition_point(|step| step.at <= at);
        self.steps[after.saturating_sub(1)].free
    }

    /// How long from now `amount` stays free; `None` for ever.
    #[must_use]
    pub fn free_for(&self, amount: &Tres) -> Option<Seconds> {
        let ends = self.steps.iter().find(|step| !step.free.covers(amount))?;
        let micros = ends.at.micros_since(self.steps[0].at);
        Some(Seconds(micros / 1_000_000))
    }

    /// What is free from now for all of `hold`: the least of each resource.
    #[must_use]
    pub fn free_throughout(&self, hold: Seconds) -> Tres {
        let until = self.steps[0].at.plus(hold);
        let during = self.steps.iter().take_while(|step| step.at < until);
        during.map(|step| step.free).fold(self.steps[0].free, |least, free| Tres {
            cpus: least.cpus.min(free.cpus),
            memory: least.memory.min(free.memory),
            gpus: least.gpus.min(free.gpus),
        })
    }

    /// Calls `each` with every step: from when, and what is free then.
    pub fn rises(&self, mut each: impl FnMut(Timestamp, Tres)) {
        for step in &self.steps {
            each(step.at, step.free);
        }
    }

    /// [`NodeLine::earliest`], or nothing if that is certain not to be before `best`.
    fn earliest_before(&self, best: Timestamp, amount: &Tres, hold: Seconds) -> Option<Timestamp> {
        let hold = hold.micros();
        // A window that is open, and when it is long enough.
        let (mut start, mut until) = (None, Timestamp::MAX);
        for step in &self.steps {
            if step.at >= until {
                return start;
            }
            if start.is_none() && step.at >= best {
                return None;
            }
            if step.free.covers(amount) {
                if start.is_none() {
                    start = Some(step.at);
                    until = Timestamp(step.at.0.saturating_add(hold));
                }
            } else {
                (start, until) = (None, Timestamp::MAX);
            }
        }
        start
    }

    /// Earliest start from which `amount` is free for all of `hold`; `None` if never.
    #[must_use]
    pub fn earliest(&self, amount: &Tres, hold: Seconds) -> Option<Timestamp> {
        self.earliest_before(Timestamp::MAX, amount, hold)
    }

    /// Calls `each` with every window of starts from which `amount` is free for all of `hold`,
    /// earliest first.
    pub fn windows(&self, amount: &Tres, hold: Seconds, mut each: impl FnMut(Window)) {
        let mut start: Option<Timestamp> = None;
        for step in &self.steps {
            if step.free.covers(amount) {
                start.get_or_insert(step.at);
            } else if let Some(first) = start.take() {
                let last = Timestamp(step.at.0.saturating_sub(hold.micros()));
                if last >= first {
                    each(Window { first, last });
                }
            }
        }
        if let Some(first) = start {
            each(Window { first, last: Timestamp::MAX });
        }
    }

    /// Takes `amount` from `from` for `hold`. The caller has found that it fits.
    pub fn take(&mut self, from: Timestamp, amount: &Tres, hold: Seconds) {
        for step in self.between(from, from.plus(hold)) {
            step.free = step.free.checked_sub(amount).expect("a promise fits where it is made");
        }
    }

    /// Takes what there is of `amount` from `from` for `hold`: where something is closed, nothing
    /// is left to take.
    pub fn take_from_what_is_left(&mut self, from: Timestamp, amount: &Tres, hold: Seconds) {
        for step in self.between(from, from.plus(hold)) {
            step.free = step.free.checked_sub(amount).unwrap_or_default();
        }
    }

    /// Leaves nothing free from `from` until `until`.
    pub fn close(&mut self, from: Timestamp, until: Timestamp) {
        let from = from.max(self.steps[0].at);
        if until > from {
            self.between(from, until).iter_mut().for_each(|step| step.free = Tres::default());
        }
    }

    /// The steps from a time until a time, split off where needed.
    fn between(&mut self, from: Timestamp, until: Timestamp) -> &mut [Step] {
        let first = self.split(from);
        let end = if until == Timestamp::MAX { self.steps.len() } else { self.split(until) };
        &mut self.steps[first..end]
    }

    /// The most that is ever free of what `of` counts.
    pub fn most(&self, of: impl Fn(&Tres) -> u64) -> u64 {
        self.steps.iter().map(|step| of(&step.free)).max().unwrap_or(0)
    }

    /// Index of the step that begins at `at`, made if there is none.
    fn split(&mut self, at: Timestamp) -> usize {
        let after = self.steps.partition_point(|step| step.at < at);
        if self.steps.get(after).is_none_or(|step| step.at != at) {
            let free = self.steps[after.saturating_sub(1)].free;
            self.steps.insert(after, Step { at, free });
        }
        after
    }

    /// Number of steps, for tests and benchmarks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Never: a line has at least the step of now.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What a gang needs of a set of nodes.
#[derive(Clone, Copy, Debug)]
pub struct Need<'a> {
    /// Nodes that start together.
    pub count: usize,
    /// For how long.
    pub hold: Seconds,
    /// Nodes that must be among them; in rising order.
    pub required: &'a [u32],
}

/// Earliest time at which `need.count` of `nodes` are free together; `None` if never. Each node
/// comes with a time before which it cannot take its share, in rising order, so that the search
/// can end early; `amount_on` says what is taken on a node.
pub fn earliest_gang(
    lines: &[NodeLine],
    nodes: impl Iterator<Item = (Timestamp, u32)> + Clone,
    need: &Need<'_>,
    amount_on: impl Fn(u32) -> Tres,
) -> Option<Timestamp> {
    if need.required.is_empty() {
        // No start is before the time at which enough nodes have had a first one. Mostly it is
        // the answer: windows are wide. For a single node it always is.
        let start = nth_earliest(lines, nodes.clone(), need, &amount_on)?;
        let fitting = nodes
            .clone()
            .take_while(|(since, _)| *since <= start)
            .filter(|(_, node)| lines[*node as usize].fits_at(start, &amount_on(*node), need.hold));
        if need.count == 1 || fitting.take(need.count).count() == need.count {
            return Some(start);
        }
    }
    sweep(lines, nodes.map(|(_, node)| node), need, amount_on)
}

/// The time at which `need.count` nodes have had their first possible start.
fn nth_earliest(
    lines: &[NodeLine],
    nodes: impl Iterator<Item = (Timestamp, u32)>,
    need: &Need<'_>,
    amount_on: impl Fn(u32) -> Tres,
) -> Option<Timestamp> {
    if need.count == 1 {
        return earliest_single(lines, nodes, need.hold, amount_on);
    }
    let mut first: BinaryHeap<Timestamp> = BinaryHeap::with_capacity(need.count + 1);
    let mut last = Timestamp::MAX;
    for (since, node) in nodes {
        if since >= last {
            break;
        }
        let line = &lines[node as usize];
        let Some(start) = line.earliest_before(last, &amount_on(node), need.hold) else { continue };
        first.push(start);
        if first.len() > need.count {
            first.pop();
        }
        if first.len() == need.count {
            last = *first.peek()?;
        }
    }
    (first.len() == need.count && need.count > 0).then_some(last)
}

/// Goes through the windows of all nodes in the order of time until enough are open together.
fn sweep(
    lines: &[NodeLine],
    nodes: impl Iterator<Item = u32>,
    need: &Need<'_>,
    amount_on: impl Fn(u32) -> Tres,
) -> Option<Timestamp> {
    let mut windows: Vec<(Timestamp, Timestamp, bool)> = Vec::new();
    for node in nodes {
        let required = need.required.binary_search(&node).is_ok();
        lines[node as usize].windows(&amount_on(node), need.hold, |window| {
            windows.push((window.first, window.last, required));
        });
    }
    windows.sort_unstable();
    // Windows of one node never overlap, so open windows count nodes.
    let mut open: BinaryHeap<Reverse<(Timestamp, bool)>> = BinaryHeap::new();
    let mut required_open = 0;
    for (first, last, required) in windows {
        while let Some(&Reverse((closes, was_required))) = open.peek()
            && closes < first
        {
            open.pop();
            required_open -= usize::from(was_required);
        }
        open.push(Reverse((last, required)));
        required_open += usize::from(required);
        if open.len() >= need.count && required_open == need.required.len() {
            return Some(first);
        }
    }
    None
}

fn earliest_single(
    lines: &[NodeLine],
    nodes: impl Iterator<Item = (Timestamp, u32)>,
    hold: Seconds,
    amount_on: impl Fn(u32) -> Tres,
) -> Option<Timestamp> {
    let mut best: Option<Timestamp> = None;
    for (since, node) in nodes {
        let last = best.unwrap_or(Timestamp::MAX);
        if since >= last {
            break;
        }
        best = lines[node as usize].earliest_before(last, &amount_on(node), hold).or(best);
    }
    best
}
