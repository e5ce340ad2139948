//! The decisions of one cycle, job after job.

use crate::fit::gang::Rule;
use crate::plan::cycle::{Choice, ClassRun, Cycle, Own, Ranking};
use crate::plan::queue::{Kind, Next, Queue, Turn};
use crate::plan::ration::Ration;
use crate::plan::tell::KEPT;
use crate::plan::{Placement, Plan, Preemption, WaitingShape};
use crate::policy::AllRefused;
use crate::reason::{Explanation, PreemptedFor, WaitingFor};
use crate::snapshot::{ClassKey, Pending, ShapeClass, Snapshot};
use std::sync::Arc;
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::job::Prediction;
use suanpan_model::time::Timestamp;

/// A cycle with what it has decided so far.
pub(crate) struct Run<'a> {
    cycle: Cycle<'a>,
    plan: Plan,
    snapshot: &'a Snapshot,
    classes: Vec<Judged<'a>>,
    promised: u32,
    /// Jobs for which something is stopped.
    preempting: u32,
}

/// One class and what was found of it.
struct Judged<'a> {
    of: &'a ClassKey,
    class: &'a ShapeClass,
    /// Its offers in order, from the first look at it until it is settled: a thousand of these at
    /// once would not stay in the processor's cache.
    run: Option<ClassRun<'a>>,
    /// The explanation its placements share, and the choice it is about.
    told: Option<(u32, Choice)>,
    standing: Standing,
    /// When the first plain job that waits would finish; later ones finish later.
    finish: Option<Timestamp>,
    /// Why the first one waits, and of which kind it is.
    waiting: Option<(WaitingShape, Kind)>,
}

/// How the stream of a job goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// With the job after it.
    GoOn,
    /// Not at all.
    Leave,
    /// With this job, once all others have had their turn.
    SetAside {
        /// Its tasks that are not decided on.
        left: u32,
    },
}

/// Whether more jobs of a class need to be tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Not known.
    Open,
    /// Its jobs wait for a better offer; one with its own conditions might still start.
    Waits,
    /// Its quota does not permit any of its jobs anywhere.
    Rationed,
    /// Nowhere is enough free for it.
    Full,
}

impl<'a> Judged<'a> {
    fn run(&mut self, cycle: &Cycle<'a>) -> &mut ClassRun<'a> {
        self.run.get_or_insert_with(|| cycle.class(self.of, self.class, &[]))
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(cycle: Cycle<'a>) -> Run<'a> {
        let snapshot = cycle.snapshot;
        let judged = |(of, class)| Judged {
            of,
            class,
            run: None,
            told: None,
            standing: Standing::Open,
            finish: None,
            waiting: None,
        };
        let classes = snapshot.shapes.iter().map(judged).collect();
        Run { cycle, plan: Plan::default(), snapshot, classes, promised: 0, preempting: 0 }
    }

    /// Decides on the jobs in order, up to but without `until`.
    fn decide(&mut self, until: Option<JobId>) {
        let mut queue = Queue::new(self.snapshot);
        loop {
            let Some(next) = queue.next(self.cycle.ration.as_ref().and_then(Ration::shares)) else {
                match queue.turn() {
                    Turn::First if queue.turn_over() => continue,
                    _ => return,
                }
            };
            let may_wait = queue.turn() == Turn::First && !next.key.goes_first();
            if Some(next.job) == until && !(may_wait && self.borrows(&next)) {
                return;
            }
            match self.consider(&next, queue.turn()) {
                Then::GoOn => queue.go_on(&next),
                Then::Leave => {}
                Then::SetAside { left } => queue.set_aside(&next, left),
            }
        }
    }

    /// Whether the best that there is for a job would have its project borrow.
    fn borrows(&mut self, next: &Next) -> bool {
        if self.cycle.ration.is_none() {
            return false;
        }
        let own = match next.kind {
            Kind::Plain => Own::default(),
            Kind::Own => self.own(next, &self.snapshot.pending[&next.key]),
        };
        let judged = &self.classes[next.class as usize];
        let mut run = self.cycle.class(judged.of, judged.class, own.may_use);
        let best = self.cycle.rank(&mut run, own, 1).choices;
        best.first().is_some_and(|best| self.cycle.borrows(&run, best.offer))
    }

    /// The plan, once all jobs are decided on.
    pub(crate) fn into_plan(mut self) -> Plan {
        self.decide(None);
        let waiting = self.classes.into_iter().filter_map(|judged| {
            let (waiting, _) = judged.waiting?;
            Some((judged.of.clone(), waiting))
        });
        self.plan.waiting = waiting.collect();
        self.plan
    }

    /// The timelines once the jobs ahead of `until` are decided on; all jobs if `None`.
    pub(crate) fn up_to(mut self, until: Option<JobId>) -> Cycle<'a> {
        self.decide(until);
        self.cycle
    }

    /// Decides on one job; says how its stream goes on.
    fn consider(&mut self, next: &Next, turn: Turn) -> Then {
        let unless_plain = || match next.kind {
            Kind::Plain => Then::Leave,
            Kind::Own => Then::GoOn,
        };
        let pending = match next.kind {
            Kind::Plain => None,
            Kind::Own => Some(&self.snapshot.pending[&next.key]),
        };
        if pending.and_then(|about| about.begin).is_some_and(|begin| begin > self.cycle.now) {
            self.plan.waiting_jobs.insert(next.job, WaitingFor::BeginTime);
            return Then::GoOn;
        }
        if self.classes[next.class as usize].standing == Standing::Rationed {
            return unless_plain();
        }
        if !self.promising() && self.is_settled(next) {
            // Jobs with begin times further on still get their own reason.
            return unless_plain();
        }
        let own = pending.map_or_else(Own::default, |about| self.own(next, about));
        let ready = match (next.ready, pending) {
            (0, Some(about)) => about.ready,
            (ready, _) => ready,
        };
        let left = if own.may_use.is_empty() {
            self.consider_tasks(next, own, ready, turn)
        } else {
            self.consider_user_of_closures(next, own, ready, turn)
        };
        if left > 0 { Then::SetAside { left } } else { Then::GoOn }
    }

    /// A job that may use a reservation sees more than the others of its shape: it looks at the
    /// offers for itself.
    fn consider_user_of_closures(
        &mut self,
        next: &Next,
        own: Own<'a>,
        ready: u32,
        turn: Turn,
    ) -> u32 {
        let judged = &mut self.classes[next.class as usize];
        let shared = judged.run.take();
        judged.run = Some(self.cycle.class(judged.of, judged.class, own.may_use));
        let left = self.consider_tasks(next, own, ready, turn);
        self.classes[next.class as usize].run = shared;
        left
    }

    /// Starts or promises a job's ready tasks, one by one: a task that waits for a better offer
    /// may leave room for the next one to start elsewhere. Gives the number of those that are set
    /// aside: they would have their project borrow, and in the first turn only what projects have
    /// themselves is given out (as in Kueue, where what does not borrow goes first). So what an
    /// owner took back is not borrowed again before the owner has it.
    fn consider_tasks(&mut self, next: &Next, own: Own<'_>, ready: u32, turn: Turn) -> u32 {
        let mut told = false;
        for done in 0..ready {
            let judged = &mut self.classes[next.class as usize];
            // The first look at a class is explained, so it keeps the runners-up.
            let first = judged.told.is_none() && judged.standing == Standing::Open;
            let keep = if first { KEPT } else { 1 };
            let ranking = self.cycle.rank(judged.run(&self.cycle), own, keep);
            let room = self.plan.placements.len() < self.cycle.policy.starts_max as usize;
            let best = ranking.choices.first().copied();
            if let Some(best) = best
                && turn == Turn::First
                && !next.key.goes_first()
                && self.cycle.borrows(judged.run(&self.cycle), best.offer)
            {
                return ready - done;
            }
            if let Some(best) = best
                && room
                && self.cycle.goes_now(judged.run(&self.cycle), best)
            {
                self.place(next, own, best, ranking);
                continue;
            }
            if !told {
                told = true;
                self.wait(next, &ranking);
            }
            if self.preempt(next, own) || self.take_back(next, own, &ranking) {
                continue;
            }
            if ranking.is_rationed() && own.may_use.is_empty() {
                let judged = &mut self.classes[next.class as usize];
                judged.standing = Standing::Rationed;
                judged.run = None;
                return 0;
            }
            match best {
                Some(best) if self.promising() => self.promise(next, best),
                _ if self.promising() => return 0,
                _ => {
                    if next.kind == Kind::Own && own.may_use.is_empty() {
                        self.close_if_full(next);
                    }
                    self.classes[next.class as usize].run = None;
                    return 0;
                }
            }
        }
        0
    }

    /// Has allocations stopped for a job, if it may and that makes room.
    fn preempt(&mut self, next: &Next, own: Own<'_>) -> bool {
        if own.may_preempt.is_empty() || self.preempting >= self.cycle.policy.preemptions_max {
            return false;
        }
        let judged = &mut self.classes[next.class as usize];
        judged.run(&self.cycle);
        let run = judged.run.as_ref().expect("it was just made");
        let Some((cluster, stopped)) = self.cycle.preempt(run, own) else { return false };
        self.preempting += 1;
        let by = next.job;
        let why = PreemptedFor::Qos;
        let stop = |allocation| Preemption { allocation, cluster, by, why };
        self.plan.preemptions.extend(stopped.into_iter().map(stop));
        true
    }

    /// Has allocations stopped for a job that its quota does not permit now, if its project may
    /// take back what they hold and that makes room.
    fn take_back(&mut self, next: &Next, own: Own<'_>, ranking: &Ranking) -> bool {
        if !ranking.is_rationed() || self.preempting >= self.cycle.policy.preemptions_max {
            return false;
        }
        let judged = &mut self.classes[next.class as usize];
        judged.run(&self.cycle);
        let run = judged.run.as_ref().expect("it was just made");
        let Some(stops) = self.cycle.take_back(run, own, &next.key, ranking) else { return false };
        self.preempting += 1;
        let by = next.job;
        self.plan.preemptions.extend(stops.into_iter().map(|(cluster, allocation, why)| {
            Preemption { allocation, cluster, by, why: PreemptedFor::Quota(why) }
        }));
        true
    }

    /// Whether the next job that waits is still promised a start.
    fn promising(&self) -> bool {
        self.promised < self.cycle.policy.reservation_depth
    }

    /// Whether nothing more can start in the stream of this job.
    fn is_settled(&mut self, next: &Next) -> bool {
        let judged = &self.classes[next.class as usize];
        if next.kind == Kind::Own {
            let pending = &self.snapshot.pending[&next.key];
            let preempts = !pending.may_preempt.is_empty()
                && self.preempting < self.cycle.policy.preemptions_max;
            if preempts || !pending.may_use.is_empty() {
                return false;
            }
        }
        match (judged.standing, next.kind) {
            (Standing::Open, _) => false,
            (Standing::Full | Standing::Rationed, _) | (Standing::Waits, Kind::Plain) => true,
            (Standing::Waits, Kind::Own) => !self.is_bound(next) || self.close_if_full(next),
        }
    }

    /// Whether a job's own conditions would have it choose otherwise than its shape did.
    fn is_bound(&self, next: &Next) -> bool {
        let pending = &self.snapshot.pending[&next.key];
        let finish = self.classes[next.class as usize].finish;
        let late = |deadline| finish.is_none_or(|finish| finish > deadline);
        !pending.refused_by.is_empty() || pending.deadline.is_some_and(late)
    }

    /// Gives a class up if not even its worst offer could start now.
    fn close_if_full(&mut self, next: &Next) -> bool {
        let judged = &mut self.classes[next.class as usize];
        let full = !self.cycle.any_now(judged.run(&self.cycle));
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
            let offers = &self.classes[next.class as usize].class.offers;
            if offers.iter().all(|offer| refused_by.contains(&offer.cluster)) {
                refused_by = &[];
            }
        }
        Own { refused_by, ..Own::of(pending) }
    }

    fn place(&mut self, next: &Next, own: Own<'_>, choice: Choice, ranking: Ranking) {
        let rule = if self.promising() { Rule::Settled } else { Rule::BestFit };
        let explanation = self.explanation_of(next, own, choice, ranking);
        let judged = &mut self.classes[next.class as usize];
        judged.run(&self.cycle);
        let run = judged.run.as_ref().expect("it was just made");
        let nodes = self.cycle.send(run, choice, rule);
        let offer = &judged.class.offers[choice.offer];
        self.plan.placements.push(Placement {
            job: next.job,
            cluster: offer.cluster,
            partition: offer.partition,
            nodes,
            time_limit: offer.limit,
            prediction: Prediction {
                start: self.cycle.now.plus(offer.wait),
                start_latest: self.cycle.latest(offer, choice.start),
                stage: offer.stage,
                run: offer.run,
                out: offer.out,
                cost: offer.cost,
            },
            explanation,
        });
    }

    /// The explanation of a start: the one its shape has, while it is about the same choice.
    fn explanation_of(
        &mut self,
        next: &Next,
        own: Own<'_>,
        choice: Choice,
        mut ranking: Ranking,
    ) -> u32 {
        let judged = &mut self.classes[next.class as usize];
        if let Some((index, about)) = judged.told
            && about == choice
            && next.kind == Kind::Plain
        {
            return index;
        }
        let run = judged.run(&self.cycle);
        if ranking.choices.len() < KEPT {
            ranking = self.cycle.rank(run, own, KEPT);
        }
        let index = self.plan.explanations.len() as u32;
        self.plan.explanations.push(Arc::new(self.cycle.explain(run, &ranking)));
        if next.kind == Kind::Plain {
            judged.told = Some((index, choice));
        }
        index
    }

    /// Keeps why a job waits: for the first of its shape in full, for one whose own conditions
    /// keep it by name. What a plain job says of its shape replaces what another said.
    fn wait(&mut self, next: &Next, ranking: &Ranking) {
        let judged = &mut self.classes[next.class as usize];
        if next.kind == Kind::Plain && judged.standing == Standing::Open {
            judged.standing = Standing::Waits;
            let length = |best: &Choice| judged.class.offers[best.offer].length();
            judged.finish = ranking.choices.first().map(|best| best.start.plus(length(best)));
        }
        let told = match (&judged.waiting, next.kind) {
            (None, _) | (Some((_, Kind::Own)), Kind::Plain) => false,
            (Some(_), _) => true,
        };
        if told && next.kind == Kind::Plain {
            return;
        }
        let reason = self.cycle.reason(judged.run(&self.cycle), ranking);
        if next.kind == Kind::Own {
            self.plan.waiting_jobs.insert(next.job, reason);
        }
        if told {
            return;
        }
        let run = judged.run(&self.cycle);
        let explanation: Explanation =
            match ranking.choices.len() < KEPT.min(run.class.offers.len()) {
                true => {
                    let full = self.cycle.rank(run, Own::default(), KEPT);
                    self.cycle.explain(run, &full)
                }
                false => self.cycle.explain(run, ranking),
            };
        let explanation = Arc::new(explanation);
        let waiting = WaitingShape { first: next.job, reason, explanation };
        judged.waiting = Some((waiting, next.kind));
    }

    /// Promises a waiting task its best start, so that no job after it can delay it.
    fn promise(&mut self, next: &Next, best: Choice) {
        let judged = &mut self.classes[next.class as usize];
        judged.run(&self.cycle);
        let run = judged.run.as_ref().expect("it was just made");
        self.cycle.promise(run, best);
        self.plan.shadow_starts.entry(next.job).or_insert(best.start);
        self.promised += 1;
    }
}
