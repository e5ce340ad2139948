//! The pending jobs in order, by class, so that a whole class can be left at once; where quotas are
//! shared fairly, by project first.

use crate::order::ratio::Ratio;
use crate::quota::MemberId;
use crate::quota::preemption::Sharing;
use crate::snapshot::{PendingKey, Snapshot};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, btree_map, btree_set};
use suanpan_model::id::JobId;

/// Hands out jobs in the order of consideration. Each class is one or two sorted streams; a heap
/// merges them, so that taking the next job is O(log classes) and dropping a class is O(1). With
/// fair sharing each project has a heap of its own, and the next is found among `p` projects in
/// `d` levels of cohorts in O(p d).
pub(super) struct Queue<'a> {
    streams: Vec<Stream<'a>>,
    lines: Vec<Line>,
    /// Jobs that come again once all others have been handed out.
    aside: Vec<Next>,
    turn: Turn,
}

/// Which time a queue is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Jobs may be set aside.
    First,
    /// Those that were set aside, and what comes after them in their streams.
    Second,
}

/// The streams that are merged by the order of their jobs alone.
struct Line {
    /// The members from the outermost cohort down to the project; empty without fair sharing.
    path: Vec<MemberId>,
    heap: BinaryHeap<Reverse<(PendingKey, u32)>>,
}

struct Stream<'a> {
    class: u32,
    line: u32,
    jobs: Jobs<'a>,
    ready: u32,
}

enum Jobs<'a> {
    Plain(btree_map::Iter<'a, PendingKey, u32>),
    Own(btree_set::Iter<'a, PendingKey>),
}

/// The next job to consider.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    pub(super) job: JobId,
    pub(super) key: PendingKey,
    /// Position of its class among the snapshot's shapes.
    pub(super) class: u32,
    /// Tasks that may start; 0 for a job with conditions of its own, to be looked up, unless it
    /// was set aside.
    pub(super) ready: u32,
    pub(super) kind: Kind,
    stream: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only its shape decides.
    Plain,
    /// It has a begin time, a deadline or refusals.
    Own,
}

impl<'a> Queue<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Queue<'a> {
        let mut queue =
            Queue { streams: Vec::new(), lines: Vec::new(), aside: Vec::new(), turn: Turn::First };
        let fair = snapshot.quotas.as_deref().filter(|book| book.policy().sharing == Sharing::Fair);
        let mut line_of: BTreeMap<Option<MemberId>, u32> = BTreeMap::new();
        for (class, (of, about)) in (0u32..).zip(&snapshot.shapes) {
            let member = of.queue.filter(|_| fair.is_some());
            let line = *line_of.entry(member).or_insert_with(|| {
                let path = member.zip(fair).map(|(id, book)| book.quotas.path_down(id));
                let (path, heap) = (path.unwrap_or_default(), BinaryHeap::new());
                queue.lines.push(Line { path, heap });
                queue.lines.len() as u32 - 1
            });
            for jobs in [Jobs::Plain(about.plain.iter()), Jobs::Own(about.own.iter())] {
                let stream = queue.streams.len() as u32;
                queue.streams.push(Stream { class, line, jobs, ready: 0 });
                queue.refill(stream);
            }
        }
        queue
    }

    /// Which time it is gone through.
    pub(super) fn turn(&self) -> Turn {
        self.turn
    }

    /// Puts a job, with so many tasks left, and those after it in its stream behind all others.
    pub(super) fn set_aside(&mut self, next: &Next, left: u32) {
        self.aside.push(Next { ready: left, ..*next });
    }

    /// Begins with those that were set aside; says whether there are any.
    pub(super) fn turn_over(&mut self) -> bool {
        self.turn = Turn::Second;
        for next in std::mem::take(&mut self.aside) {
            let stream = &mut self.streams[next.stream as usize];
            stream.ready = next.ready;
            self.lines[stream.line as usize].heap.push(Reverse((next.key, next.stream)));
        }
        self.lines.iter().any(|line| !line.heap.is_empty())
    }

    /// The next job: of the project with the smallest share, where shares are given. Its stream
    /// stands still until [`Queue::go_on`].
    pub(super) fn next(&mut self, shares: Option<&[Ratio]>) -> Option<Next> {
        let line = match shares {
            None => self.lines.first_mut()?,
            Some(shares) => {
                let share = |id: &MemberId| &shares[id.0 as usize];
                let first = |line: &Line| {
                    line.heap.peek().is_some_and(|Reverse((key, _))| key.goes_first())
                };
                let waiting = self.lines.iter_mut().filter(|line| !line.heap.is_empty());
                waiting.min_by(|one, other| {
                    let shares = one.path.iter().map(share).cmp(other.path.iter().map(share));
                    // The heaps are of the largest first, and their keys are turned around.
                    let order = shares.then_with(|| other.heap.peek().cmp(&one.heap.peek()));
                    first(other).cmp(&first(one)).then(order)
                })?
            }
        };
        let Reverse((key, stream)) = line.heap.pop()?;
        let about = &self.streams[stream as usize];
        let kind = match about.jobs {
            Jobs::Plain(_) => Kind::Plain,
            Jobs::Own(_) => Kind::Own,
        };
        let (class, ready) = (about.class, about.ready);
        Some(Next { job: key.job, key, class, ready, kind, stream })
    }

    /// Lets the job after `done` in its stream come up. Without it, no more of the stream comes.
    pub(super) fn go_on(&mut self, done: &Next) {
        self.refill(done.stream);
    }

    fn refill(&mut self, stream: u32) {
        let about = &mut self.streams[stream as usize];
        let next = match &mut about.jobs {
            Jobs::Plain(jobs) => jobs.next().map(|(key, ready)| (*key, *ready)),
            Jobs::Own(jobs) => jobs.next().map(|key| (*key, 0)),
        };
        if let Some((key, ready)) = next {
            about.ready = ready;
            self.lines[about.line as usize].heap.push(Reverse((key, stream)));
        }
    }
}
