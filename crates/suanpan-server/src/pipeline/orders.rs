//! Current orders of every cluster as versioned deltas, and who was heard of when.
//!
//! Only durable orders come here. A poll that is up to date waits; one that is a little behind gets
//! what changed; one that is far behind, or from before a restart, gets everything.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use suanpan_model::id::{AllocationId, ClusterId, Generation};
use suanpan_sched::snapshot::Contact;
use suanpan_site::order::{Desired, Order};
use suanpan_wire::agent::{Digest, LogRequest, OrdersAnswer, SiteWait, digest_of};
use tokio::sync::Notify;

use super::batch::OrderChange;

/// How many changes of one cluster are remembered for polls that are behind.
const REMEMBERED: usize = 65_536;

/// A question to an agent is put again in a later answer if it was not answered for so long: the
/// answer that carried it may have been lost.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(3);

/// Current orders of every cluster, and who was heard of when.
pub struct OrderHub {
    clusters: Mutex<BTreeMap<ClusterId, ClusterOrders>>,
    /// Versions begin here, at the microsecond of the start, so that one from before a restart is
    /// always smaller than any of this process.
    first_version: u64,
    contact_period: Duration,
    withdraw_after: Option<Duration>,
    /// When this process began, for clusters not heard of since.
    began: Instant,
}

struct ClusterOrders {
    version: u64,
    orders: BTreeMap<AllocationId, Order>,
    digest: Digest,
    /// Which allocation each of the latest versions changed, oldest first, without gaps, the last
    /// one being `version`.
    recent: VecDeque<AllocationId>,
    changed: Arc<Notify>,
    heard: Option<Instant>,
    contact: Contact,
    questions: BTreeMap<u64, Question>,
    /// Why the site does not start what waits there, in its words.
    waits: BTreeMap<AllocationId, String>,
}

struct Question {
    request: LogRequest,
    put: Option<Instant>,
}

/// A cluster whose recorded contact is not what was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContactObserved {
    pub(crate) cluster: ClusterId,
    pub(crate) contact: Contact,
}

impl OrderHub {
    pub(crate) fn new(
        first_version: u64,
        contact_period: Duration,
        withdraw_after: Option<Duration>,
    ) -> OrderHub {
        let (clusters, began) = (Mutex::default(), Instant::now());
        OrderHub { clusters, first_version, contact_period, withdraw_after, began }
    }

    /// The agent is taken for silent after so long without a request.
    #[must_use]
    pub fn contact_period(&self) -> Duration {
        self.contact_period
    }

    /// Waits up to `wait` for orders newer than `since` and answers them; `since` 0 asks for all.
    /// Counts as contact, at its beginning and at its end; it never waits longer than half the
    /// contact period, so that an agent which waits is not taken for silent.
    pub async fn poll(&self, cluster: ClusterId, since: u64, wait: Duration) -> OrdersAnswer {
        self.note_contact(cluster);
        let until = tokio::time::Instant::now() + wait.min(self.contact_period / 2);
        loop {
            // Enabled before looking, so that a change between looking and waiting is not missed.
            let changed = self.with(cluster, |orders| Arc::clone(&orders.changed));
            let mut notified = std::pin::pin!(changed.notified());
            notified.as_mut().enable();
            let waits = self.with(cluster, |orders| orders.is_news(since, Instant::now()));
            if waits == News::Some || tokio::time::timeout_at(until, notified).await.is_err() {
                break;
            }
        }
        self.note_contact(cluster);
        self.with(cluster, |orders| orders.answer(since, Instant::now()))
    }

    /// An agent was heard of.
    pub fn note_contact(&self, cluster: ClusterId) {
        self.with(cluster, |orders| orders.heard = Some(Instant::now()));
    }

    /// Number of orders of a cluster and the hash over them, as agents compute it.
    #[must_use]
    pub fn digest(&self, cluster: ClusterId) -> Digest {
        self.with(cluster, |orders| orders.digest)
    }

    /// What is recorded of the contact with a cluster, and how long ago it was heard of; `None`
    /// where that was before this process started.
    #[must_use]
    pub fn contact(&self, cluster: ClusterId) -> (Contact, Option<Duration>) {
        self.with(cluster, |orders| (orders.contact, orders.heard.map(|heard| heard.elapsed())))
    }

    /// Takes over changes that are durable now and wakes those who wait for them.
    pub(crate) fn publish(&self, changes: Vec<OrderChange>) {
        let mut woken = BTreeSet::new();
        let mut clusters = self.lock();
        for (cluster, allocation, order) in changes {
            let orders = self.entry(&mut clusters, cluster);
            if orders.set(allocation, order) {
                woken.insert(cluster);
            }
        }
        for cluster in woken {
            clusters[&cluster].changed.notify_waiters();
        }
    }

    /// What the state says of a cluster's contact is now this. One that is reachable by the record,
    /// at a start say, gets one period from now to be heard of.
    pub(crate) fn set_contact(&self, cluster: ClusterId, contact: Contact) {
        self.with(cluster, |orders| {
            orders.contact = contact;
            if contact == Contact::Reachable {
                orders.heard.get_or_insert_with(Instant::now);
            }
        });
    }

    /// Clusters that were heard of although recorded as silent, and the other way round.
    pub(crate) fn observe(&self, now: Instant) -> Vec<ContactObserved> {
        let period = self.contact_period;
        self.lock()
            .iter()
            .filter_map(|(&cluster, orders)| {
                let silence = orders.heard.map(|heard| now.saturating_duration_since(heard));
                let contact = match silence.is_some_and(|silence| silence <= period) {
                    true => Contact::Reachable,
                    false => Contact::Silent,
                };
                (contact != orders.contact).then_some(ContactObserved { cluster, contact })
            })
            .collect()
    }

    /// Clusters that are recorded as silent for so long that what waits there is withdrawn, and for
    /// how long.
    pub(crate) fn to_withdraw(&self, now: Instant) -> Vec<(ClusterId, Duration)> {
        let Some(after) = self.withdraw_after else { return Vec::new() };
        let clusters = self.lock();
        let silent = clusters.iter().filter(|(_, orders)| orders.contact == Contact::Silent);
        let silence = silent.map(|(&cluster, orders)| {
            (cluster, now.saturating_duration_since(orders.heard.unwrap_or(self.began)))
        });
        silence.filter(|(_, silence)| *silence > after).collect()
    }

    /// Why a site does not start what waits there, in its words.
    pub fn note_waits(&self, cluster: ClusterId, waits: Vec<SiteWait>) {
        self.with(cluster, |orders| {
            for SiteWait { allocation, reason } in waits {
                if orders.orders.contains_key(&allocation) {
                    orders.waits.insert(allocation, reason);
                }
            }
        });
    }

    /// Why a site did not start this when it was last looked at, in its words.
    #[must_use]
    pub fn wait_of(&self, cluster: ClusterId, allocation: AllocationId) -> Option<String> {
        self.with(cluster, |orders| orders.waits.get(&allocation).cloned())
    }

    /// Whether an agent that says it starts this is to go on: the order to run it still stands.
    #[must_use]
    pub fn is_to_run(
        &self,
        cluster: ClusterId,
        allocation: AllocationId,
        generation: Generation,
    ) -> bool {
        self.with(cluster, |orders| {
            let order = orders.orders.get(&allocation);
            order.is_some_and(|order| {
                order.generation == generation && matches!(order.desired, Desired::Run(_))
            })
        })
    }

    /// Puts a question to a cluster's agent with its next answer.
    pub(crate) fn put_question(&self, cluster: ClusterId, request: LogRequest) {
        self.with(cluster, |orders| {
            orders.questions.insert(request.request, Question { request, put: None });
            orders.changed.notify_waiters();
        });
    }

    /// Takes a question back: it was answered, or nobody waits for the answer any more. Says
    /// whether it was put to this cluster.
    pub(crate) fn withdraw_question(&self, cluster: ClusterId, request: u64) -> Withdrawn {
        self.with(cluster, |orders| match orders.questions.remove(&request) {
            Some(_) => Withdrawn::Was,
            None => Withdrawn::Unknown,
        })
    }

    fn with<T>(&self, cluster: ClusterId, f: impl FnOnce(&mut ClusterOrders) -> T) -> T {
        f(self.entry(&mut self.lock(), cluster))
    }

    fn entry<'a>(
        &self,
        clusters: &'a mut BTreeMap<ClusterId, ClusterOrders>,
        cluster: ClusterId,
    ) -> &'a mut ClusterOrders {
        clusters.entry(cluster).or_insert_with(|| ClusterOrders {
            version: self.first_version,
            orders: BTreeMap::new(),
            digest: Digest::default(),
            recent: VecDeque::new(),
            changed: Arc::default(),
            heard: None,
            contact: Contact::Silent,
            questions: BTreeMap::new(),
            waits: BTreeMap::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ClusterId, ClusterOrders>> {
        self.clusters.lock().expect("no thread panics while it holds the lock")
    }
}

/// Whether a question was put to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// It was.
    Was,
    /// It was not, or was answered before.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Some,
    None,
}

impl ClusterOrders {
    /// Sets or removes an order; says whether that changed anything.
    fn set(&mut self, allocation: AllocationId, order: Option<Order>) -> bool {
        let added = order.as_ref().map(digest_of);
        let before = match order {
            Some(order) => self.orders.insert(allocation, order),
            None => {
                self.waits.remove(&allocation);
                self.orders.remove(&allocation)
            }
        };
        let removed = before.as_ref().map(digest_of);
        if added == removed {
            return false;
        }
        self.digest.sum ^= added.unwrap_or(0) ^ removed.unwrap_or(0);
        self.digest.count = self.orders.len() as u64;
        self.version += 1;
        self.recent.push_back(allocation);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        true
    }

    fn is_news(&self, since: u64, now: Instant) -> News {
        let asked = self.questions.values().any(|question| question.is_due(now));
        match since == self.version && !asked {
            true => News::None,
            false => News::Some,
        }
    }

    fn answer(&mut self, since: u64, now: Instant) -> OrdersAnswer {
        let mut answer = OrdersAnswer {
            version: self.version,
            whole: None,
            changed: Vec::new(),
            removed: Vec::new(),
            digest: self.digest,
            log_requests: self.due_questions(now),
        };
        let behind = self.version.checked_sub(since).filter(|&by| by <= self.recent.len() as u64);
        let Some(behind) = behind else {
            answer.whole = Some(self.orders.values().cloned().collect());
            return answer;
        };
        let first = self.recent.len() - behind as usize;
        let touched: BTreeSet<AllocationId> = self.recent.range(first..).copied().collect();
        for allocation in touched {
            match self.orders.get(&allocation) {
                Some(order) => answer.changed.push(order.clone()),
                None => answer.removed.push(allocation),
            }
        }
        answer
    }

    fn due_questions(&mut self, now: Instant) -> Vec<LogRequest> {
        let due = self.questions.values_mut().filter(|question| question.is_due(now));
        due.map(|question| {
            question.put = Some(now);
            question.request.clone()
        })
        .collect()
    }
}

impl Question {
    fn is_due(&self, now: Instant) -> bool {
        self.put.is_none_or(|put| now.saturating_duration_since(put) > ASK_AGAIN_AFTER)
    }
}

#[cfg(test)]
mod tests;
