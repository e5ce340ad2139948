//! A Kubernetes-like site whose pods share GPUs.
//!
//! A pod that comes is placed at once if it fits somewhere, by the site's packing policy. One that
//! does not fit waits, or is turned away. Nothing is held back for a pod that waits: when a pod
//! leaves, all that wait are tried again in the order they came, as kube-scheduler does with pods
//! of one priority.
//!
//! Complexity: a pod that comes is one placement (see [`suanpan_sched::packing`]). One that leaves
//! is a placement for each pod that starts and one for each distinct request that waits, however
//! many pods wait.

use std::collections::{BTreeMap, VecDeque};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_sched::packing::{Node, Packer, Placement, PodRequest, Policy};

#[cfg(test)]
mod tests;

/// A pod, by the number its owner gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId(pub u64);

/// What becomes of a pod that fits nowhere when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// It waits until it fits.
    Waits,
    /// It is turned away.
    TurnedAway,
}

/// A pod: what it asks, and how long it runs if that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pod {
    /// Its number.
    pub id: PodId,
    /// What it asks.
    pub request: PodRequest,
    /// How long it runs, or is thought to run.
    pub duration: Option<Seconds>,
}

/// A pod that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The pod.
    pub pod: Pod,
    /// Where it is.
    pub placement: Placement,
    /// When it started.
    pub start: Timestamp,
}

/// Random numbers: a site model draws none itself.
pub type Random<'a> = &'a mut dyn FnMut() -> u64;

/// The site.
#[derive(Clone, Debug)]
pub struct GpuSharingSite {
    packer: Packer,
    unplaced: Unplaced,
    running: BTreeMap<PodId, Running>,
    /// By request, in the order they came; each with its number in that order.
    waiting: BTreeMap<PodRequest, VecDeque<(u64, Pod)>>,
    came: u64,
}

impl GpuSharingSite {
    /// A site with nothing on its nodes.
    #[must_use]
    pub fn new(nodes: Vec<Node>, policy: Policy, unplaced: Unplaced) -> GpuSharingSite {
        GpuSharingSite {
            packer: Packer::new(nodes, policy),
            unplaced,
            running: BTreeMap::new(),
            waiting: BTreeMap::new(),
            came: 0,
        }
    }

    /// Takes in a pod that runs on the live site; says whether there was room for it, and no pod
    /// of its number.
    pub fn load_running(&mut self, running: Running) -> bool {
        let known = self.running.contains_key(&running.pod.id);
        let done = !known && self.packer.occupy(&running.pod.request, running.placement);
        if done {
            self.running.insert(running.pod.id, running);
        }
        done
    }

    /// Takes in a pod that waits on the live site, in the order they came.
    pub fn load_waiting(&mut self, pod: Pod) {
        self.came += 1;
        self.waiting.entry(pod.request).or_default().push_back((self.came, pod));
    }

    /// The nodes as they are now.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        self.packer.nodes()
    }

    /// The pods that run, by number.
    pub fn running(&self) -> impl Iterator<Item = &Running> {
        self.running.values()
    }

    /// How many pods wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// A pod comes; where it starts, or `None` if it waits or was turned away.
    pub fn submit(&mut self, now: Timestamp, pod: Pod, random: Random<'_>) -> Option<Placement> {
        let placement = self.start(now, pod, random);
        if placement.is_none() && self.unplaced == Unplaced::Waits {
            self.load_waiting(pod);
        }
        placement
    }

    /// A pod leaves; the pods that start then, in the order they started.
    pub fn end(&mut self, now: Timestamp, id: PodId, random: Random<'_>) -> Vec<Running> {
        if let Some(gone) = self.running.remove(&id) {
            self.packer.release(&gone.pod.request, gone.placement);
        }
        let mut heads: BTreeMap<u64, PodRequest> = self
            .waiting
            .iter()
            .filter_map(|(request, pods)| pods.front().map(|&(came, _)| (came, *request)))
            .collect();
        let mut started = Vec::new();
        // A request that does not fit leaves the heads: nothing more is freed in this pass.
        while let Some((_, request)) = heads.pop_first() {
            let (_, pod) = self.waiting[&request][0];
            if self.start(now, pod, random).is_none() {
                continue;
            }
            started.push(self.running[&pod.id]);
            let pods = self.waiting.get_mut(&request).expect("its head was there");
            pods.pop_front();
            match pods.front() {
                Some(&(came, _)) => {
                    heads.insert(came, request);
                }
                None => {
                    self.waiting.remove(&request);
                }
            }
        }
        started
    }

    /// When `pod` would start if it came now and every pod that runs or waits took as long as
    /// thought: `None` if it waits for one whose duration nobody knows, or fits nowhere ever.
    #[must_use]
    pub fn predict(&self, now: Timestamp, pod: Pod, random: Random<'_>) -> Option<Timestamp> {
        let mut site = self.clone();
        site.unplaced = Unplaced::Waits;
        if site.submit(now, pod, random).is_some() {
            return Some(now);
        }
        let end = |running: &Running| Some(running.start.plus(running.pod.duration?).max(now));
        let mut ends: std::collections::BTreeSet<(Timestamp, PodId)> =
            site.running.values().filter_map(|one| Some((end(one)?, one.pod.id))).collect();
        while let Some((at, id)) = ends.pop_first() {
            for started in site.end(at, id, random) {
                if started.pod.id == pod.id {
                    return Some(at);
                }
                ends.extend(end(&started).map(|end| (end, started.pod.id)));
            }
        }
        None
    }

    fn start(&mut self, now: Timestamp, pod: Pod, random: Random<'_>) -> Option<Placement> {
        let placement = self.packer.place(&pod.request, random)?;
        self.running.insert(pod.id, Running { pod, placement, start: now });
        Some(placement)
    }
}
