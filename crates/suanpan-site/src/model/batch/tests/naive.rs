//! A batch site as its published description has it, word for word: a list of events, every
//! policy scans everything at each event, and what is free is added up from a list of jobs.

use super::Spec;
use std::collections::BTreeMap;
use suanpan_model::time::Seconds;
use suanpan_sched::predict::correction::Correction;

/// Which policy, as the model spells it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naive {
    Fcfs,
    Easy { sjbf: bool, asks_always: bool },
    Conservative,
}

/// Where expected run times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knows {
    Requested,
    Clairvoyant,
    LastTwo,
}

#[derive(Clone, Debug)]
struct Job {
    submit: u64,
    processors: u32,
    requested: u64,
    run: u64,
    predicted: u64,
    corrections: u32,
    start: Option<u64>,
}

/// Events of an instant, in the order in which they are handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Outlived,
    Submitted,
    Ended,
    Starts,
}

struct Model {
    processors: u32,
    policy: Naive,
    knows: Knows,
    jobs: Vec<Job>,
    /// Places of waiting jobs, in the order of submission.
    waiting: Vec<usize>,
    /// Intervals that jobs hold or are promised: from, until, processors.
    held: BTreeMap<usize, (u64, u64, u32)>,
    events: BTreeMap<(u64, Event, u64), usize>,
    counter: u64,
    last_two: Vec<u64>,
}

/// Start times in the order of the jobs, by pyss's convention. All jobs have one user.
pub(super) fn starts(processors: u32, policy: Naive, knows: Knows, jobs: &[Spec]) -> Vec<u64> {
    let jobs = jobs.iter().map(|(submit, processors, requested, run)| Job {
        submit: *submit,
        processors: *processors,
        requested: *requested,
        run: *run,
        predicted: *requested,
        corrections: 0,
        start: None,
    });
    let mut model = Model {
        processors,
        policy,
        knows,
        jobs: jobs.collect(),
        waiting: Vec::new(),
        held: BTreeMap::new(),
        events: BTreeMap::new(),
        counter: 0,
        last_two: Vec::new(),
    };
    for place in 0..model.jobs.len() {
        model.add(model.jobs[place].submit, Event::Submitted, place);
    }
    while let Some(((now, event, _), place)) = model.events.pop_first() {
        model.handle(now, event, place);
    }
    model.jobs.iter().map(|job| job.start.expect("every job starts")).collect()
}

impl Model {
    fn add(&mut self, at: u64, event: Event, place: usize) {
        self.counter += 1;
        self.events.insert((at, event, self.counter), place);
    }

    fn handle(&mut self, now: u64, event: Event, place: usize) {
        match event {
            Event::Outlived => self.outlived(place),
            Event::Submitted => {
                self.predict(place);
                self.submitted(now, place);
            }
            Event::Ended => {
                self.last_two.push(self.jobs[place].run);
                self.held.remove(&place);
                self.ended(now);
            }
            Event::Starts => {
                let promised = self.held.get(&place).map(|held| held.0);
                let job = &mut self.jobs[place];
                if promised != Some(now) || job.start.is_some() {
                    return;
                }
                job.start = Some(now);
                let (end, outlived) = (now + job.run, now + job.predicted);
                self.add(end, Event::Ended, place);
                if outlived < end {
                    self.add(outlived, Event::Outlived, place);
                }
            }
        }
    }

    fn predict(&mut self, place: usize) {
        let job = &mut self.jobs[place];
        job.predicted = match (self.knows, self.last_two.as_slice()) {
            (Knows::Clairvoyant, _) => job.run,
            (Knows::LastTwo, [.., before, last]) => job.requested.min((before + last) / 2),
            _ => job.requested,
        };
    }

    fn outlived(&mut self, place: usize) {
        let job = &mut self.jobs[place];
        let (predicted, requested) = (Seconds(job.predicted), Seconds(job.requested));
        job.predicted = Correction::Gradual.corrected(predicted, job.corrections, requested).0;
        job.corrections += 1;
        let (predicted, run) = (job.predicted, job.run);
        let held = self.held.get_mut(&place).expect("it runs");
        held.1 = held.0 + predicted;
        let until = held.1;
        if predicted < run {
            self.add(until, Event::Outlived, place);
        }
    }

    fn free(&self, at: u64) -> u32 {
        let held = self.held.values().filter(|held| held.0 <= at && at < held.1);
        self.processors - held.map(|held| held.2).sum::<u32>()
    }

    fn earliest(&self, from: u64, processors: u32, length: u64) -> u64 {
        let changes = || self.held.values().flat_map(|held| [held.0, held.1]);
        let mut tries: Vec<u64> = changes().filter(|at| *at > from).collect();
        tries.push(from);
        tries.sort_unstable();
        let fits = |start: &u64| {
            let inside = changes().filter(|at| at > start && *at < start + length);
            self.free(*start) >= processors
                && inside.into_iter().all(|at| self.free(at) >= processors)
        };
        tries.into_iter().find(fits).expect("everything ends")
    }

    fn hold(&mut self, place: usize, start: u64) {
        let job = &self.jobs[place];
        self.held.insert(place, (start, start + job.predicted, job.processors));
    }

    fn start_now(&mut self, now: u64, place: usize) {
        self.waiting.retain(|other| *other != place);
        self.hold(place, now);
        self.add(now, Event::Starts, place);
    }

    fn submitted(&mut self, now: u64, place: usize) {
        self.waiting.push(place);
        let job = &self.jobs[place];
        match self.policy {
            Naive::Conservative => {
                let start = self.earliest(now, job.processors, job.predicted);
                self.hold(place, start);
                self.add(start, Event::Starts, place);
            }
            Naive::Easy { asks_always: false, .. } if job.processors > self.free(now) => {}
            Naive::Easy { .. } | Naive::Fcfs => self.pass(now),
        }
    }

    fn ended(&mut self, now: u64) {
        if self.policy != Naive::Conservative {
            self.pass(now);
            return;
        }
        for place in self.waiting.clone() {
            let Some(old) = self.held.get(&place).copied().filter(|old| old.0 > now) else {
                continue;
            };
            self.held.remove(&place);
            let start = self.earliest(now, old.2, self.jobs[place].predicted);
            self.hold(place, start);
            if start != old.0 {
                self.add(start, Event::Starts, place);
            }
        }
    }

    fn pass(&mut self, now: u64) {
        while let Some(first) = self.waiting.first().copied()
            && self.jobs[first].processors <= self.free(now)
        {
            self.start_now(now, first);
        }
        let (Naive::Easy { sjbf, .. }, [first, others @ ..]) = (self.policy, &*self.waiting) else {
            return;
        };
        let (first, mut others) = (*first, others.to_vec());
        if sjbf {
            others.sort_by_key(|place| self.jobs[*place].predicted);
        }
        let job = &self.jobs[first];
        let shadow = self.earliest(now, job.processors, job.predicted);
        self.hold(first, shadow);
        for place in others {
            let job = &self.jobs[place];
            if self.earliest(now, job.processors, job.predicted) == now {
                self.start_now(now, place);
            }
        }
        self.held.remove(&first);
    }
}
