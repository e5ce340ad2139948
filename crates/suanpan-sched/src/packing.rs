//! Node choice for pods that ask CPU, memory, and whole or shared GPUs: the policies of the
//! literature on GPU sharing, and ours.
//!
//! Every policy is a score of a node for a pod; the pod goes to the node of the best score, the
//! first in the list of nodes among equals (as in the simulator of Weng et al., which puts the
//! nodes in random order once; with scores of whole percents the ties decide much: were they drawn
//! anew for each pod, FGD would leave twice as much idle). Only pods that ask the same are alike,
//! and a placement changes one node; so a [`Packer`] keeps the scores of all nodes for each
//! distinct request, and looks again only at nodes that changed since that request was last seen.
//!
//! Complexity of one placement, with `n` nodes, `c` distinct requests and `g` GPUs a node: O(n) to
//! find the best of the scores kept (a scan of `4 n` bytes), and at most min(n, changes since the
//! last such request) scores anew, each O(g). With requests in random order that is about `c`
//! scores a placement, whatever the number of nodes.

mod fgd;
mod fragment;
mod least_waste;
mod name;
mod node;
mod published;
mod recency;
mod request;

pub use fgd::Fgd;
pub use fragment::{FragmentTable, TypicalPods};
pub use least_waste::LeastWaste;
pub use name::PolicyName;
pub use node::{GpuSet, Node};
pub use request::{GpuAsk, GpuModel, MAX_GPUS, ModelSet, PodRequest, WHOLE_GPU};

use recency::Recency;
use std::collections::BTreeMap;

#[cfg(test)]
mod tests;

/// How a node is chosen.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Any node that fits, and any GPU that fits a share.
    Random,
    /// The least product of what is free and what is asked.
    DotProd,
    /// Pods that ask GPUs alike together.
    GpuClustering,
    /// GPUs in use first, then nodes in use.
    GpuPacking,
    /// The least left.
    BestFit,
    /// Fragmentation gradient descent.
    Fgd(Box<Fgd>),
    /// Ours: the node whose expected waste grows least.
    LeastWaste(Box<LeastWaste>),
}

impl Policy {
    /// What the policy thinks of a node as it is, whatever comes: kept for each node until it
    /// changes.
    fn standing(&self, node: &Node) -> i64 {
        match self {
            Policy::Fgd(fgd) => fgd.fragment(node),
            Policy::LeastWaste(least) => least.waste(node),
            _ => 0,
        }
    }

    /// The score of a node that fits; more is better.
    fn score(&self, node: &Node, standing: i64, request: &PodRequest) -> i32 {
        match self {
            Policy::Random => 0,
            Policy::DotProd => published::dot_product(node, request),
            Policy::GpuClustering => published::gpu_clustering(node, request),
            Policy::GpuPacking => published::gpu_packing(node, request),
            Policy::BestFit => published::best_fit(node, request),
            Policy::Fgd(fgd) => fgd.best(node, request, standing).0,
            Policy::LeastWaste(least) => least.best(node, request, standing).0,
        }
    }

    /// The GPUs to take on the node that was chosen: the first free ones; for a share, the GPU
    /// with the least left, but for the policies that say which.
    fn gpus(
        &self,
        node: &Node,
        standing: i64,
        request: &PodRequest,
        random: &mut dyn FnMut() -> u64,
    ) -> GpuSet {
        let share = match request.gpus {
            GpuAsk::None => return GpuSet::default(),
            GpuAsk::Whole(count) => return node.first_free(count),
            GpuAsk::Share(share) => share,
        };
        let fits = || node.gpus().iter().enumerate().filter(move |(_, free)| **free >= share);
        match self {
            Policy::Fgd(fgd) => fgd.best(node, request, standing).1,
            Policy::LeastWaste(least) => least.best(node, request, standing).1,
            Policy::Random => {
                let place = below(random, fits().count());
                GpuSet::one(fits().nth(place).expect("a place below the count").0)
            }
            _ => {
                let (index, _) = fits().min_by_key(|(_, free)| **free).expect("the node fits");
                GpuSet::one(index)
            }
        }
    }
}

/// A number below `count`, which is not 0, from a number drawn.
fn below(random: &mut dyn FnMut() -> u64, count: usize) -> usize {
    ((u128::from(random()) * count as u128) >> 64) as usize
}

/// Where a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The node, by its place in the packer's list.
    pub node: u32,
    /// Its GPUs.
    pub gpus: GpuSet,
}

/// Score of a node that does not fit.
const UNFIT: i32 = i32::MIN;

/// Nodes and a policy; takes pods in and lets them go.
#[derive(Clone, Debug)]
pub struct Packer {
    nodes: Vec<Node>,
    /// What the policy thinks of each node as it is.
    standings: Vec<i64>,
    policy: Policy,
    recency: Recency,
    classes: BTreeMap<PodRequest, Class>,
}

/// What is known of the pods that ask the same.
#[derive(Clone, Debug)]
struct Class {
    /// The score of each node at the moment `seen`.
    scores: Vec<i32>,
    seen: u64,
}

impl Packer {
    /// Empty nodes, or nodes that are in use, under a policy.
    #[must_use]
    pub fn new(nodes: Vec<Node>, policy: Policy) -> Packer {
        let recency = Recency::new(nodes.len());
        let standings = nodes.iter().map(|node| policy.standing(node)).collect();
        Packer { nodes, standings, policy, recency, classes: BTreeMap::new() }
    }

    /// The nodes as they are now.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Places a pod where the policy wants it; `None` if it fits nowhere now. Only
    /// [`Policy::Random`] draws numbers.
    pub fn place(
        &mut self,
        request: &PodRequest,
        random: &mut dyn FnMut() -> u64,
    ) -> Option<Placement> {
        let node = self.choose(request, random)?;
        let place = node as usize;
        let gpus = self.policy.gpus(&self.nodes[place], self.standings[place], request, random);
        let placement = Placement { node, gpus };
        assert!(self.occupy(request, placement), "a node that fits holds the pod");
        Some(placement)
    }

    /// Takes in a pod that is known to be somewhere; says whether there was room.
    pub fn occupy(&mut self, request: &PodRequest, placement: Placement) -> bool {
        let node = self.nodes.get_mut(placement.node as usize);
        let done = node.is_some_and(|node| node.take(request, placement.gpus));
        if done {
            self.changed(placement.node);
        }
        done
    }

    /// A pod has left.
    pub fn release(&mut self, request: &PodRequest, placement: Placement) {
        self.nodes[placement.node as usize].give_back(request, placement.gpus);
        self.changed(placement.node);
    }

    fn changed(&mut self, node: u32) {
        self.standings[node as usize] = self.policy.standing(&self.nodes[node as usize]);
        self.recency.touch(node);
    }

    /// The first node of the best score; under Random, any.
    fn choose(&mut self, request: &PodRequest, random: &mut dyn FnMut() -> u64) -> Option<u32> {
        let Packer { nodes, standings, policy, recency, classes } = self;
        let class = classes
            .entry(*request)
            .or_insert_with(|| Class { scores: vec![UNFIT; nodes.len()], seen: 0 });
        for node in recency.since(class.seen) {
            let node = node as usize;
            class.scores[node] = match nodes[node].fits(request) {
                true => policy.score(&nodes[node], standings[node], request),
                false => UNFIT,
            };
        }
        class.seen = recency.now();
        let best = class.scores.iter().copied().max().filter(|&best| best != UNFIT)?;
        let mut equals = class.scores.iter().enumerate().filter(|(_, score)| **score == best);
        let place = match policy {
            Policy::Random => below(random, equals.clone().count()),
            _ => 0,
        };
        equals.nth(place).map(|(node, _)| u32::try_from(node).expect("fewer nodes than 2^32"))
    }
}
