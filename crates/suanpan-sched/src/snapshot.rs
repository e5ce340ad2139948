//! The scheduler's view of the network, kept up to date by small changes.
//!
//! [`Snapshot::apply`] folds one [`Change`] at a time and keeps what a cycle would otherwise have
//! to work out: the free amount of each node, the ends of what runs on it in order of time, and
//! for each shape the clusters that fit it. Costs, with `p` pending jobs, `c` shapes, `k`
//! clusters and `s` allocations on a node:
//!
//! | change | time |
//! | --- | --- |
//! | `Pending`, `NotPending` | O(log p + log c); the first job of a new shape also O(pools) |
//! | `Took`, `Freed`, `Began` | O(log + nodes of the allocation * s) |
//! | `Contact` | O(log k) |
//! | `Quotas` | O(members * cells + all allocations) |
//! | `Learnt` | O(c + offers of the program's shapes) |
//! | `Closed`, `Opened` | O(nodes of that cluster * closures there * log) |
//! | `Inventory` | O(c * pools of that cluster); if links changed O(c * all pools) |
//! | `Links` | O(links + c + shapes that move data * pools at the ends of changed links) |
//! | `Limits` | as `Links` |
//! | `Waits` | O(c + offers of that cluster), of kept shapes too |
//! | `Dataset` | O(c + shapes that need it * pools where staging it may differ) |
//!
//! With quotas, `Took` and `Freed` also count what the allocation holds: O(cells * levels).
//!
//! Changes about clusters, jobs or allocations that are not known are ignored: the same change
//! may be folded twice, and a late one does no harm.

use crate::fit::catalog::{Catalog, Rejudge};
use crate::flavor_speed::{Program, Speeds, is_published};
use crate::quota::book::{Book, Held};
use crate::quota::policy::QuotaPolicy;
use crate::waits::Wait;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, DatasetId, JobId};
use suanpan_model::job::{Shape, Sharing};
use suanpan_model::network::LinkEstimate;
use suanpan_model::site::Inventory;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

mod check;
mod class;
mod closure;
mod cluster;
mod pending;
#[cfg(test)]
mod tests;

pub use crate::fit::network::{DatasetView, Limits};
pub use class::{ClassKey, ShapeClass};
pub use closure::{Closure, ClosureId, ClosureKind};
pub use cluster::ClusterView;
pub use pending::{GOES_FIRST, Pending, PendingKey};

/// What the scheduler sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Clusters by id.
    pub clusters: BTreeMap<ClusterId, ClusterView>,
    /// Jobs with at least one task that may start now or once its begin time comes, in the order
    /// they are considered.
    pub pending: BTreeMap<PendingKey, Pending>,
    /// Where each job of `pending` is.
    pub keys: BTreeMap<JobId, PendingKey>,
    /// Jobs by shape and quota, for judging whole classes at once.
    pub shapes: BTreeMap<ClassKey, ShapeClass>,
    /// Those that may use closures or stop others.
    pub(crate) privileged: BTreeSet<PendingKey>,
    /// The inventories, arranged for judging shapes.
    pub catalog: Catalog,
    /// The quotas and what the allocations use of them; `None` where nothing is limited.
    pub quotas: Option<Box<Book>>,
    /// What is known of programs.
    programs: BTreeMap<Arc<Program>, Speeds>,
    retired: Retired,
}

/// Classes of shapes that no pending job has at the moment, judged against the inventories as
/// they are: the next job is likely to have one of them, and judging a shape anew looks at every
/// pool. A cache, so it plays no part in comparisons.
#[derive(Clone, Debug, Default)]
struct Retired(BTreeMap<Arc<Shape>, ShapeClass>);

impl Retired {
    /// How many are kept; at one more, all are let go.
    const MOST: usize = 4_096;

    fn keep(&mut self, shape: Arc<Shape>, class: ShapeClass) {
        if self.0.len() >= Retired::MOST {
            self.0.clear();
        }
        self.0.insert(shape, class);
    }
}

impl PartialEq for Retired {
    fn eq(&self, _: &Retired) -> bool {
        true
    }
}

impl Eq for Retired {}

/// Whether an agent is in contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contact {
    /// It was heard of within the contact period.
    Reachable,
    /// It was not.
    Silent,
}

/// One allocation on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Indexes into the inventory's nodes.
    pub nodes: Vec<u32>,
    /// Amount on each.
    pub per_node: Tres,
    /// Whether it takes its nodes whole, whatever their size.
    pub sharing: Sharing,
    /// When its time limit ends: start + staging + time limit. Once it is to be stopped, when its
    /// grace ends.
    pub ends_by: Timestamp,
    /// Whether it goes before its time.
    pub ending: Ending,
    /// Whether it may be stopped for others, and for whom.
    pub preemptible: Option<Preemptible>,
    /// Whether it began; what did not may wait in its site's own queue.
    pub began: bool,
    /// What it holds of its project's quota; `None` where there are no quotas.
    pub held: Option<Box<Held>>,
}

impl Running {
    /// What it takes of a node of this capacity.
    #[must_use]
    pub fn amount_on(&self, capacity: &Tres) -> Tres {
        self.sharing.amount(self.per_node, *capacity)
    }
}

/// Whether an allocation goes before its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It may use its time limit.
    #[default]
    AtLimit,
    /// It was told to end, or will be when its grace is over.
    Stopping,
}

/// What decides whether an allocation is stopped for another job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preemptible {
    /// Its QOS.
    pub qos: String,
    /// The QOS's priority.
    pub priority: u32,
    /// When it was placed: the youngest goes first.
    pub since: Timestamp,
    /// Not to be stopped before.
    pub not_before: Timestamp,
}

/// One change of the snapshot. The engine emits them while it applies events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A cluster joined or its inventory changed. Allocations stay where they are.
    Inventory(ClusterId, Arc<Inventory>),
    /// Contact with an agent was lost or found.
    Contact(ClusterId, Contact),
    /// A job may start, or something about it changed (replaces what was known).
    Pending(Pending),
    /// A job has no task left that may start.
    NotPending(JobId),
    /// An allocation took resources.
    Took(ClusterId, AllocationId, Running),
    /// An allocation began, and its end is now expected at this time.
    Began(ClusterId, AllocationId, Timestamp),
    /// An allocation's resources are free again.
    Freed(ClusterId, AllocationId),
    /// What is known of a program changed; nothing is any more if it is `None`.
    Learnt(Arc<Program>, Option<Speeds>),
    /// Nodes are taken off for a time, or for another time than was known.
    Closed(ClusterId, Closure),
    /// They are back.
    Opened(ClusterId, ClosureId),
    /// Quotas are set, changed or lifted. What allocations hold is told anew after it.
    Quotas(Option<Arc<QuotaPolicy>>),
    /// What is believed of measured links, by (from, to) and the names of sites. Replaces what was
    /// known of all of them.
    Links(BTreeMap<(String, String), LinkEstimate>),
    /// How much links may carry at this time of day, by (from, to). Replaces what was set of all of
    /// them.
    Limits(Limits),
    /// Where a dataset is; it is gone if `None`.
    Dataset(DatasetId, Option<DatasetView>),
    /// What is known of the waits at a cluster.
    Waits(ClusterId, Option<Wait>),
}

impl Snapshot {
    /// Folds one change.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Inventory(cluster, inventory) => self.set_inventory(cluster, &inventory),
            Change::Contact(cluster, contact) => {
                if let Some(view) = self.clusters.get_mut(&cluster) {
                    view.contact = contact;
                }
            }
            Change::Pending(pending) => self.set_pending(pending),
            Change::NotPending(job) => self.remove_pending(job),
            Change::Took(cluster, allocation, running) => {
                if let Some(view) = self.clusters.get_mut(&cluster) {
                    let before = view.free(allocation).and_then(|running| running.held);
                    let held = running.held.clone();
                    view.take(allocation, running);
                    self.recount(before, held);
                }
            }
            Change::Began(cluster, allocation, ends_by) => {
                if let Some(view) = self.clusters.get_mut(&cluster)
                    && let Some(running) = view.free(allocation)
                {
                    view.take(allocation, Running { ends_by, began: true, ..running });
                }
            }
            Change::Freed(cluster, allocation) => {
                if let Some(view) = self.clusters.get_mut(&cluster) {
                    let before = view.free(allocation).and_then(|running| running.held);
                    self.recount(before, None);
                }
            }
            Change::Learnt(program, speeds) => self.set_speeds(program, speeds),
            Change::Closed(cluster, closure) => {
                if let Some(view) = self.clusters.get_mut(&cluster) {
                    view.close(closure);
                }
            }
            Change::Opened(cluster, closure) => {
                if let Some(view) = self.clusters.get_mut(&cluster) {
                    view.open(closure);
                }
            }
            Change::Quotas(policy) => {
                self.quotas = policy.map(|policy| Box::new(Book::new(policy)));
                let views = self.clusters.values_mut();
                views.flat_map(|view| view.running.values_mut()).for_each(|one| one.held = None);
            }
            Change::Links(links) => {
                let clusters = self.catalog.set_links(&links);
                self.rejudge(&clusters, Shape::moves_data);
            }
            Change::Limits(limits) => {
                let clusters = self.catalog.set_limits(limits);
                self.rejudge(&clusters, Shape::moves_data);
            }
            Change::Waits(cluster, wait) => self.set_wait(cluster, wait),
            Change::Dataset(id, view) => {
                let clusters = self.catalog.set_dataset(id, view);
                let needs =
                    |shape: &Shape| shape.inputs.iter().any(|input| input.dataset == Some(id));
                self.rejudge(&clusters, needs);
            }
        }
    }

    /// Counts that an allocation holds something else than before.
    fn recount(&mut self, before: Option<Box<Held>>, after: Option<Box<Held>>) {
        let Some(book) = &mut self.quotas else { return };
        before.iter().for_each(|held| book.release(held));
        after.iter().for_each(|held| book.hold(held));
    }

    fn set_inventory(&mut self, cluster: ClusterId, inventory: &Arc<Inventory>) {
        let view = self.clusters.entry(cluster).or_insert_with(|| ClusterView::new(inventory));
        view.set_inventory(Arc::clone(inventory));
        let rejudge = self.catalog.set(cluster, Arc::clone(inventory));
        self.retired = Retired::default();
        for (key, class) in &mut self.shapes {
            match rejudge {
                Rejudge::Nothing => break,
                Rejudge::Cluster => {
                    let speeds = speeds_in(&self.programs, key);
                    class.rejudge_cluster(&self.catalog, cluster, key, speeds);
                }
                Rejudge::Everything => {
                    class.rejudge(&self.catalog, key, speeds_in(&self.programs, key));
                }
            }
        }
    }

    /// Asks these clusters anew what they offer the shapes for which moving data takes another
    /// time.
    fn rejudge(&mut self, clusters: &[ClusterId], affected: impl Fn(&Shape) -> bool) {
        if clusters.is_empty() {
            return;
        }
        self.retired.0.retain(|shape, _| !affected(shape));
        for (key, class) in self.shapes.iter_mut().filter(|(key, _)| affected(&key.shape)) {
            let speeds = speeds_in(&self.programs, key);
            if clusters.len() == self.catalog.len() {
                class.rejudge(&self.catalog, key, speeds);
                continue;
            }
            for &cluster in clusters {
                class.rejudge_cluster(&self.catalog, cluster, key, speeds);
            }
        }
    }

    fn set_wait(&mut self, cluster: ClusterId, wait: Option<Wait>) {
        self.catalog.set_wait(cluster, wait);
        let median = wait.map_or(Seconds(0), |wait| wait.median);
        let classes = self.shapes.values_mut().chain(self.retired.0.values_mut());
        classes.for_each(|class| class.set_wait(cluster, median));
    }

    fn set_speeds(&mut self, program: Arc<Program>, speeds: Option<Speeds>) {
        let classes = self.shapes.iter_mut();
        for (key, class) in classes.filter(|(key, _)| key.program.as_ref() == Some(&program)) {
            class.estimate(&self.catalog, key.program.as_deref(), speeds.as_ref());
        }
        match speeds {
            Some(speeds) => self.programs.insert(program, speeds),
            None => self.programs.remove(&program),
        };
    }

    /// The class of a job that is not pending.
    #[must_use]
    pub fn class_of(&self, user: &str, name: &str, project: &str, shape: &Arc<Shape>) -> ClassKey {
        let program = Program::of(user, name, shape);
        let is_known = is_published(name) || self.programs.contains_key(&program);
        ClassKey {
            shape: Arc::clone(shape),
            queue: self.quotas.as_ref().map(|book| book.queue_of(project)),
            program: is_known.then(|| Arc::new(program)),
        }
    }

    /// What is known of the program of a class.
    pub(crate) fn speeds(&self, of: &ClassKey) -> Option<&Speeds> {
        speeds_in(&self.programs, of)
    }

    fn set_pending(&mut self, pending: Pending) {
        let key = pending.key();
        if let Some(&known) = self.keys.get(&pending.job)
            && let Some(before) = self.pending.get(&known)
            && (known != key || before.class() != pending.class())
        {
            self.remove_pending(pending.job);
        }
        if pending.ready == 0 {
            return self.remove_pending(pending.job);
        }
        // The class's own copy of the shape is kept, so that equal shapes share one.
        let of = match self.shapes.get_key_value(&pending.class()) {
            Some((known, _)) => known.clone(),
            None => pending.class(),
        };
        let shape = Arc::clone(&of.shape);
        let (catalog, programs) = (&self.catalog, &self.programs);
        let retired = &mut self.retired.0;
        let class = self.shapes.entry(of).or_insert_with_key(|key| {
            let known = match key.program {
                Some(_) => None,
                None => retired.remove(&key.shape),
            };
            known.unwrap_or_else(|| ShapeClass::new(catalog, key, speeds_in(programs, key)))
        });
        class.insert(key, &pending);
        match pending.is_privileged() {
            true => self.privileged.insert(key),
            false => self.privileged.remove(&key),
        };
        self.keys.insert(pending.job, key);
        self.pending.insert(key, Pending { shape, ..pending });
    }

    fn remove_pending(&mut self, job: JobId) {
        let Some(key) = self.keys.remove(&job) else { return };
        self.privileged.remove(&key);
        let pending = self.pending.remove(&key).expect("every key points at a pending job");
        let of = pending.class();
        let class = self.shapes.get_mut(&of).expect("every pending job has a class");
        class.remove(key);
        if class.is_empty()
            && let Some((of, class)) = self.shapes.remove_entry(&of)
            && of.program.is_none()
        {
            self.retired.keep(of.shape, class);
        }
    }
}

/// What is known of the program of a class.
fn speeds_in<'a>(
    programs: &'a BTreeMap<Arc<Program>, Speeds>,
    of: &ClassKey,
) -> Option<&'a Speeds> {
    programs.get(of.program.as_ref()?)
}
