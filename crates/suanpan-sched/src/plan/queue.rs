//! The pending jobs in order, by class, so that a whole class can be left at once.

use crate::snapshot::{PendingKey, Snapshot};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, btree_map, btree_set};
use suanpan_model::id::JobId;

/// Hands out jobs in the order of consideration. Each class is one or two sorted streams; a heap
/// merges them, so that taking the next job is O(log classes) and dropping a class is O(1).
pub(super) struct Queue<'a> {
    streams: Vec<Stream<'a>>,
    heap: BinaryHeap<Reverse<(PendingKey, u32)>>,
}

struct Stream<'a> {
    class: u32,
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
    /// Tasks that may start; 0 for a job with conditions of its own, to be looked up.
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
        let mut queue = Queue { streams: Vec::new(), heap: BinaryHeap::new() };
        for (class, about) in (0u32..).zip(snapshot.shapes.values()) {
            for jobs in [Jobs::Plain(about.plain.iter()), Jobs::Own(about.own.iter())] {
                let stream = queue.streams.len() as u32;
                queue.streams.push(Stream { class, jobs, ready: 0 });
                queue.refill(stream);
            }
        }
        queue
    }

    /// The next job. Its stream stands still until [`Queue::go_on`].
    pub(super) fn next(&mut self) -> Option<Next> {
        let Reverse((key, stream)) = self.heap.pop()?;
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
            self.heap.push(Reverse((key, stream)));
        }
    }
}
