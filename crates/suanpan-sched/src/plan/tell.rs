//! Turning a ranking into an explanation.

use crate::fit::Offer;
use crate::fit::score::shown;
use crate::plan::cycle::{Choice, ClassRun, Cycle, Ranking};
use crate::plan::ration::Rationed;
use crate::reason::{Candidate, Explanation, Predicate, Unfit, WaitingFor};
use crate::waits::WaitBasis;
use crate::words;
use std::collections::BTreeSet;
use std::sync::Arc;
use suanpan_model::id::ClusterId;
use suanpan_model::time::{Seconds, Timestamp};

/// How many candidates an explanation keeps.
pub(crate) const KEPT: usize = 5;

impl Cycle<'_> {
    /// What was compared and what was ruled out.
    pub(crate) fn explain(&self, run: &ClassRun<'_>, ranking: &Ranking) -> Explanation {
        Explanation {
            candidates: ranking.choices.iter().map(|&one| self.candidate(run, one)).collect(),
            unfit: self.unfit(run, ranking),
        }
    }

    /// Latest start of an offer that the timeline lets start at `start`.
    pub(crate) fn latest(&self, offer: &Offer, start: Timestamp) -> Timestamp {
        let wait = self.snapshot.catalog.wait(offer.cluster);
        start.plus(wait.map_or(Seconds(0), |wait| wait.most))
    }

    pub(crate) fn candidate(&self, run: &ClassRun<'_>, choice: Choice) -> Candidate {
        let offer = &run.class.offers[choice.offer];
        let inventory = &self.view(run, choice.offer).inventory;
        let goal = run.shape.goal;
        let waits_there = inventory.partitions[usize::from(offer.partition)].queue.others > 0;
        Candidate {
            cluster: offer.cluster,
            site: inventory.site.clone(),
            partition: inventory.partitions[usize::from(offer.partition)].name.clone(),
            flavor: inventory.flavors[usize::from(offer.flavor)].name.clone(),
            start: choice.start.plus(offer.wait),
            start_latest: self.latest(offer, choice.start),
            wait_from: match self.snapshot.catalog.wait(offer.cluster) {
                Some(wait) => WaitBasis::Learnt(wait.starts),
                None if choice.start == self.now => WaitBasis::Free,
                None if waits_there => WaitBasis::Queue,
                None => WaitBasis::Limits,
            },
            stage: offer.stage,
            stage_from: offer.stage_from,
            run: offer.run,
            basis: offer.basis,
            out: offer.out,
            out_from: offer.out_from,
            finish: choice.start.plus(offer.length()),
            cost: offer.cost,
            score: shown(goal, offer, choice.start, self.now, &run.class.yardstick),
        }
    }

    /// The clusters that can never run the shape, and those that cannot for now.
    fn unfit(&self, run: &ClassRun<'_>, ranking: &Ranking) -> Arc<[Unfit]> {
        let told_anew = [&ranking.silent, &ranking.refused, &ranking.closed];
        let told_anew = told_anew.iter().all(|offers| offers.is_empty());
        if told_anew && ranking.late.is_empty() && ranking.rationed.is_empty() {
            return Arc::clone(&run.class.unfit);
        }
        let mut all: Vec<Unfit> = run.class.unfit.to_vec();
        let mut told: BTreeSet<ClusterId> =
            ranking.choices.iter().map(|one| run.class.offers[one.offer].cluster).collect();
        let mut tell = |offer: usize, predicate, asked: String, there: String| {
            let cluster = run.class.offers[offer].cluster;
            if told.insert(cluster) {
                let site = self.view(run, offer).inventory.site.clone();
                all.push(Unfit { cluster, site, predicate, asked, there });
            }
        };
        let mut late = ranking.late.clone();
        late.sort_by_key(|one| one.start.plus(run.class.offers[one.offer].length()));
        for one in late {
            let finish = one.start.plus(run.class.offers[one.offer].length());
            let there = format!("in {} at the earliest", words::length(finish.since(self.now)));
            tell(one.offer, Predicate::Deadline, "finished by the deadline".to_owned(), there);
        }
        for &offer in &ranking.silent {
            tell(offer, Predicate::Reachable, "an agent in contact".into(), "silent".into());
        }
        for &offer in &ranking.refused {
            let there = "refused this job".to_owned();
            tell(offer, Predicate::Refused, "a site that takes it".into(), there);
        }
        for one in &ranking.rationed {
            let (asked, there) = self.rationed_in_words(one);
            tell(one.offer, Predicate::Quota, asked, there);
        }
        for &offer in &ranking.closed {
            let there = self.closed_in_words(run, offer);
            tell(offer, Predicate::Available, "nodes in service".into(), there);
        }
        all.sort_by_key(|entry| entry.cluster);
        all.into()
    }

    /// What was asked of the quota, and what it has left.
    pub(crate) fn rationed_in_words(&self, one: &Rationed) -> (String, String) {
        let ration = self.ration.as_ref().expect("without quotas nothing is short of one");
        ration.book.words(&one.shortage, one.reach)
    }

    /// Why a job that was ranked and did not start waits.
    pub(crate) fn reason(&self, run: &ClassRun<'_>, ranking: &Ranking) -> WaitingFor {
        if let Some(best) = ranking.choices.first() {
            return match (self.free_now(run, best.offer), self.available_now(run, best.offer)) {
                (false, _) => WaitingFor::Resources,
                (true, false) => WaitingFor::ReqNodeNotAvail,
                (true, true) => WaitingFor::Priority,
            };
        }
        if !ranking.rationed.is_empty() {
            WaitingFor::Quota
        } else if !ranking.late.is_empty() {
            WaitingFor::Deadline
        } else if !ranking.refused.is_empty() {
            WaitingFor::SiteRefused
        } else if !ranking.silent.is_empty() {
            WaitingFor::SiteUnreachable
        } else if !ranking.closed.is_empty() {
            WaitingFor::ReqNodeNotAvail
        } else if run.class.unfit.iter().any(|entry| entry.predicate == Predicate::Budget)
            && run.class.unfit.iter().all(|entry| entry.predicate <= Predicate::Budget)
        {
            WaitingFor::Budget
        } else {
            WaitingFor::NoSiteFits
        }
    }
}
