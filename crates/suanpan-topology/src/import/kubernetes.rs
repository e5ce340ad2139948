//! Topology labels of Kubernetes nodes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tree::{self, Leaf, Nesting};
use crate::fabric::{Fabric, State};
use crate::generate::LinkTerms;
use crate::problem::Problem;

/// `kubectl get nodes --output json`. Keys that say nothing about where a node is are left alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeList {
    /// The nodes.
    pub items: Vec<NodeObject>,
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeObject {
    /// Name and labels.
    pub metadata: Metadata,
    /// Whether it takes pods.
    #[serde(default)]
    pub spec: Spec,
    /// What it has.
    #[serde(default)]
    pub status: Status,
}

/// Name and labels of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Whether a node takes pods.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// It is cordoned.
    #[serde(default)]
    pub unschedulable: bool,
}

/// What a node has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Amounts by resource, as texts.
    #[serde(default)]
    pub allocatable: BTreeMap<String, String>,
}

/// A label and what it means.
struct Label {
    key: &'static str,
    level: &'static str,
    nesting: Nesting,
}

const fn nested(key: &'static str, level: &'static str) -> Label {
    Label { key, level, nesting: Nesting::Nested }
}

const fn aside(key: &'static str, level: &'static str) -> Label {
    Label { key, level, nesting: Nesting::Aside }
}

/// Known labels, the smallest domains first: of NVIDIA's GPU feature discovery and Topograph
/// (docs/reference/node-labels.md), of AWS, Google Cloud and Kueue's examples (their topology
/// documentation), and Kubernetes' own well-known labels.
const LABELS: &[Label] = &[
    aside("nvidia.com/gpu.clique", "clique"),
    aside("network.topology.nvidia.com/accelerator", "accelerator"),
    nested("cloud.google.com/gce-topology-host", "host"),
    nested("cloud.google.com/gce-topology-subblock", "subblock"),
    nested("cloud.google.com/gce-topology-block", "block"),
    nested("topology.k8s.aws/network-node-layer-3", "layer3"),
    nested("topology.k8s.aws/network-node-layer-2", "layer2"),
    nested("topology.k8s.aws/network-node-layer-1", "layer1"),
    nested("cloud.provider.com/topology-rack", "rack"),
    nested("cloud.provider.com/topology-block", "block"),
    nested("network.topology.nvidia.com/leaf", "leaf"),
    nested("network.topology.nvidia.com/spine", "spine"),
    nested("network.topology.nvidia.com/core", "core"),
    nested("topology.kubernetes.io/zone", "zone"),
    nested("topology.kubernetes.io/region", "region"),
];

/// How many ranks a node may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capacity<'a> {
    /// One.
    #[default]
    One,
    /// As many as it has of a resource, `nvidia.com/gpu` say; a node without it holds none.
    Resource(&'a str),
}

impl NodeList {
    /// A tree from the known labels that any node carries; a cordoned node is down. `labels` are
    /// more labels, smallest domains first, nested below the known ones. `terms[l]` are those of
    /// the links below the l-th level that is there, the last for all that follow.
    ///
    /// # Errors
    /// If a domain is in two larger ones, a name comes twice, or an amount is no number.
    pub fn build(
        &self,
        name: &str,
        labels: &[&str],
        capacity: Capacity<'_>,
        terms: &[LinkTerms],
    ) -> Result<Fabric, Problem> {
        let own = labels
            .iter()
            .map(|&label| (label, label.rsplit('/').next().unwrap_or(label), Nesting::Nested));
        let known = LABELS.iter().map(|label| (label.key, label.level, label.nesting));
        let there = |key: &str| self.items.iter().any(|n| n.metadata.labels.contains_key(key));
        let found: Vec<(&str, &str, Nesting)> =
            own.chain(known).filter(|(key, ..)| there(key)).collect();
        let mut levels: Vec<(String, Nesting)> = Vec::new();
        for &(key, level, nesting) in &found {
            let is_taken = levels.iter().any(|(name, _)| name == level);
            levels.push((if is_taken { key } else { level }.to_owned(), nesting));
        }
        let mut leaves = Vec::new();
        for node in &self.items {
            leaves.push(Leaf {
                name: node.metadata.name.clone(),
                capacity: capacity_of(node, capacity)?,
                state: if node.spec.unschedulable { State::Down } else { State::Up },
                domains: found
                    .iter()
                    .map(|(key, ..)| node.metadata.labels.get(*key).cloned())
                    .collect(),
            });
        }
        tree::build(name, &levels, &leaves, terms)
    }
}

fn capacity_of(node: &NodeObject, capacity: Capacity<'_>) -> Result<u32, Problem> {
    let Capacity::Resource(resource) = capacity else { return Ok(1) };
    let Some(amount) = node.status.allocatable.get(resource) else { return Ok(0) };
    amount.parse().map_err(|_| {
        let field = format!("{}.status.allocatable.{resource}", node.metadata.name);
        Problem::new(field, amount, "a whole number")
    })
}
