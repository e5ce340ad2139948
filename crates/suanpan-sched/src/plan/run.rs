//! The decisions of one cycle, job after job.

use crate::plan::cycle::{Choice, ClassRun, Cycle, Own, Ranking};
use crate::plan::queue::{Kind, Next, Queue};
use crate::plan::tell::KEPT;
use crate::plan::{Placement, Plan, WaitingShape};
use crate::policy::AllRefused;
use crate::reason::{Explanation, WaitingFor};
use crate::snapshot::{Pending, Snapshot};
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::Prediction;

/// A cycle with what it has decided so far.
pub(crate) struct Run<'a> {
    pub(crate) cycle: Cycle<'a>,
    pub(crate) plan: Plan,
    snapshot: &'a Snapshot,
    classes: Vec<Judged<'a>>,
    promised: u32,
}

/// One class and what was found of it.
struct Judged<'a> {
    run: ClassRun<'a>,
    /// The explanation its placements share, and the choice it is about.
    told: Option<(u32, Choice)>,
    standing: Standing,
}

/// Whether more jobs of a class need to be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not known.
    Open,
    /// Its jobs wait for a better offer; one with its own conditions might still start.
    Waits,
    /// Nowhere is enough free for it.
    Full,
}

/// How a job fared.
enum Fate {
    /// All its ready tasks start.
    Started,
    /// The rest of it waits.
    Waits(Ranking),
}

impl<'a> Run<'a> {
    pub(crate) fn new(cycle: Cycle<'a>) -> Run<'a> {
        let snapshot = cycle.snapshot;
        let judged = |(shape, class)| Judged {
            run: cycle.class(shape, class),
            told: None,
            standing: Standing::Open,
        };
        let classes = snapshot.shapes.iter().map(judged).collect();
        Run { cycle, plan: Plan::default(), snapshot, classes, promised: 0 }
    }

    /// Decides on the jobs in order, up to but without `until`.
    pub(crate) fn decide(&mut self, until: Option<JobId>) {
        let mut queue = Queue::new(self.snapshot);
        while let Some(next) = queue.next() {
            if Some(next.job) == until {
                return;
            }
            if self.consider(&next) {
                queue.go_on(&next);
            }
        }
    }

    /// Decides on one job; says whether its stream is worth going on with.
    fn consider(&mut self, next: &Next) -> bool {
        let pending = match next.kind {
            Kind::Plain => None,
            Kind::Own => Some(&self.snapshot.pending[&next.key]),
        };
        if pending.and_then(|about| about.begin).is_some_and(|begin| begin > self.cycle.now) {
            self.plan.waiting_jobs.insert(next.job, WaitingFor::BeginTime);
            return true;
        }
        let promising = self.promised < self.cycle.policy.reservation_depth;
        if !promising && self.is_settled(next) {
            // Jobs with begin times further on still get their own reason.
            return next.kind == Kind::Own;
        }
        let own = pending.map_or_else(Own::default, |about| self.own(next, about));
        let ready = pending.map_or(next.ready, |about| about.ready);
        if let Fate::Waits(ranking) = self.start(next, own, ready) {
            self.wait(next, &ranking);
            if promising {
                self.promise(next, &ranking);
            } else if next.kind == Kind::Own {
                self.close_if_full(next);
            }
        }
        true
    }

    /// Whether nothing more can start in the stream of this job.
    fn is_settled(&mut self, next: &Next) -> bool {
        let judged = &self.classes[next.class as usize];
        match (judged.standing, next.kind) {
            (Standing::Open, _) => false,
            (Standing::Full, _) | (Standing::Waits, Kind::Plain) => true,
            (Standing::Waits, Kind::Own) => self.close_if_full(next),
        }
    }

    /// Gives a class up if not even its worst offer could start now.
    fn close_if_full(&mut self, next: &Next) -> bool {
        let judged = &mut self.classes[next.class as usize];
        let full = !self.cycle.any_now(&mut judged.run);
        if full {
            judged.standing = Standing::Full;
        }
        full
    }

    /// The job's own conditions. Refusals count only while another cluster remains, if the policy
    /// says so.
    fn own<'p>(&self, next: &Next, pending: &'p Pending) -> Own<'p> {
        let mut refused_by: &[ClusterId] = &pending.refused_by;
        if self.cycle.policy.all_refused == AllRefused::TryAgain {
            let offers = &self.classes[next.class as usize].run.class.offers;
            if offers.iter().all(|offer| refused_by.contains(&offer.cluster)) {
                refused_by = &[];
            }
        }
        Own { deadline: pending.deadline, refused_by }
    }

    /// Starts as many of a job's ready tasks as can start now.
    fn start(&mut self, next: &Next, own: Own<'_>, ready: u32) -> Fate {
        for _ in 0..ready {
            let judged = &mut self.classes[next.class as usize];
            // The first look at a class is explained, so it keeps the runners-up.
            let first = judged.told.is_none() && judged.standing == Standing::Open;
            let keep = if first { KEPT } else { 1 };
            let mut ranking = self.cycle.rank(&mut judged.run, own, keep);
            let best = ranking.choices.first().copied();
            let room = self.plan.placements.len() < self.cycle.policy.starts_max as usize;
            match best {
                Some(best) if best.start == self.cycle.now && room => {
                    if judged.told.is_some_and(|(_, about)| about != best) && keep < KEPT {
                        ranking = self.cycle.rank(&mut judged.run, own, KEPT);
                    }
                    self.place(next, best, &ranking);
                }
                _ => return Fate::Waits(ranking),
            }
        }
        Fate::Started
    }

    fn place(&mut self, next: &Next, choice: Choice, ranking: &Ranking) {
        let judged = &mut self.classes[next.class as usize];
        let explanation = match judged.told {
            Some((index, about)) if about == choice && next.kind == Kind::Plain => index,
            _ => {
                let explanation = self.cycle.explain(&judged.run, ranking);
                self.plan.explanations.push(Arc::new(explanation));
                let index = (self.plan.explanations.len() - 1) as u32;
                if next.kind == Kind::Plain {
                    judged.told = Some((index, choice));
                }
                index
            }
        };
        let nodes = self.cycle.take(&judged.run, choice);
        let offer = &judged.run.class.offers[choice.offer];
        self.plan.placements.push(Placement {
            job: next.job,
            cluster: offer.cluster,
            partition: offer.partition,
            nodes,
            time_limit: offer.limit,
            prediction: Prediction {
                start: choice.start,
                start_latest: choice.start,
                stage: offer.stage,
                run: offer.run,
                cost: offer.cost,
            },
            explanation,
        });
    }

    /// Keeps why a job waits: for the first of its shape in full, for one whose own conditions
    /// keep it by name.
    fn wait(&mut self, next: &Next, ranking: &Ranking) {
        let judged = &mut self.classes[next.class as usize];
        let reason = self.cycle.reason(&judged.run, ranking);
        if next.kind == Kind::Own {
            self.plan.waiting_jobs.insert(next.job, reason);
        } else if judged.standing == Standing::Open {
            judged.standing = Standing::Waits;
        }
        let shape = judged.run.shape;
        let known = self.plan.waiting.get(shape);
        if known.is_some_and(|about| next.kind == Kind::Own || !about.is_of_own(self.snapshot)) {
            return;
        }
        let explanation: Explanation = match ranking.choices.len() < KEPT {
            true => {
                let full = self.cycle.rank(&mut judged.run, Own::default(), KEPT);
                self.cycle.explain(&judged.run, &full)
            }
            false => self.cycle.explain(&judged.run, ranking),
        };
        let waiting = WaitingShape { first: next.job, reason, explanation: Arc::new(explanation) };
        self.plan.waiting.insert(Arc::clone(shape), waiting);
    }

    /// Promises a waiting job its best start, so that no job after it can delay it.
    fn promise(&mut self, next: &Next, ranking: &Ranking) {
        let Some(&best) = ranking.choices.first() else { return };
        self.cycle.take(&self.classes[next.class as usize].run, best);
        self.plan.shadow_starts.insert(next.job, best.start);
        self.promised += 1;
    }
}

impl WaitingShape {
    /// Whether it is about a job with conditions of its own, which says less about the shape.
    fn is_of_own(&self, snapshot: &Snapshot) -> bool {
        let key = snapshot.keys.get(&self.first);
        let pending = key.and_then(|key| snapshot.pending.get(key));
        pending.is_some_and(Pending::has_own_conditions)
    }
}
