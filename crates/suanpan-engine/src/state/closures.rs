//! Drains and reservations: kept with their cluster, and whom they do not bind.

use super::{Cluster, Job, State};
use crate::command::Caller;
use serde::{Deserialize, Serialize};
use suanpan_model::id::{ClusterId, JobId};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::snapshot::{Change, Closure, ClosureId, ClosureKind};

/// A closure and those it does not bind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// Which nodes, when and why.
    pub closure: Closure,
    /// Who made it; of one made by an earlier version nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Caller>,
    /// Users who may run there all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Projects whose jobs may run there all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
}

impl Closed {
    /// Whether a job may run there all the same.
    #[must_use]
    pub fn admits(&self, job: &Job) -> bool {
        self.users.contains(&job.spec.user) || self.projects.contains(&job.spec.project)
    }
}

impl Cluster {
    /// The reservation of this name.
    #[must_use]
    pub fn reservation(&self, name: &str) -> Option<&Closed> {
        let mut all = self.closures.values();
        all.find(|one| one.closure.kind == ClosureKind::Reservation && one.closure.reason == name)
    }

    /// A closure that lies in the way of a job that would hold a node from `start` for `hold`.
    pub(crate) fn closure_of(
        &self,
        node: &str,
        job: &Job,
        start: Timestamp,
        hold: Seconds,
    ) -> Option<&Closed> {
        let mut all = self.closures.values();
        all.find(|one| {
            one.closure.meets(start, hold)
                && !one.admits(job)
                && one.closure.nodes.iter().any(|name| name == node)
        })
    }
}

impl State {
    /// Closures that have come to their end.
    pub(crate) fn closures_due(
        &self,
        at: Timestamp,
    ) -> impl Iterator<Item = (ClusterId, &Closure)> + '_ {
        let all = self.clusters.iter().flat_map(|(id, cluster)| {
            cluster.closures.values().map(|closed| (*id, &closed.closure))
        });
        all.filter(move |(_, closure)| closure.until <= at)
    }

    /// The closures that do not bind a job, rising.
    pub(super) fn may_use(&self, job: &Job) -> Vec<ClosureId> {
        let all = self.clusters.values().flat_map(|cluster| cluster.closures.values());
        let mut ids: Vec<ClosureId> =
            all.filter(|one| one.admits(job)).map(|one| one.closure.id).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn nodes_closed(&mut self, id: ClusterId, closed: Closed) {
        let closure = closed.closure.clone();
        self.next.closure = self.next.closure.max(closure.id.0 + 1);
        let cluster = self.clusters.get_mut(&id).expect("the cluster was added");
        cluster.closures.insert(closure.id, closed.clone());
        self.emit(|| Change::Closed(id, closure));
        self.publish_admitted(&closed);
    }

    pub(super) fn nodes_opened(&mut self, id: ClusterId, closure: ClosureId, nodes: &[String]) {
        let cluster = self.clusters.get_mut(&id).expect("the cluster was added");
        let closed = cluster.closures.get_mut(&closure).expect("a closure is opened once");
        closed.closure.nodes.retain(|name| !nodes.contains(name));
        if !closed.closure.nodes.is_empty() {
            let left = closed.closure.clone();
            self.emit(|| Change::Closed(id, left));
            return;
        }
        let closed = cluster.closures.remove(&closure).expect("it was there a line ago");
        self.emit(|| Change::Opened(id, closure));
        self.publish_admitted(&closed);
    }

    /// Tells the scheduler of the jobs that a closure does not bind: O(jobs), where it names any.
    fn publish_admitted(&mut self, closed: &Closed) {
        if !self.derived.emit || (closed.users.is_empty() && closed.projects.is_empty()) {
            return;
        }
        let jobs: Vec<JobId> =
            self.jobs.values().filter(|job| closed.admits(job)).map(|job| job.id).collect();
        jobs.into_iter().for_each(|job| self.publish_pending(job));
    }
}
