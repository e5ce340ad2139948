//! Clusters: what they have, what is free, and their agent's credentials.

use super::Closed;
use crate::command::TokenHash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_model::id::AllocationId;
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_sched::snapshot::{ClosureId, Contact};

/// One workload manager of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name, given when it was added.
    pub name: String,
    /// Hash of its agent's token.
    pub token: TokenHash,
    /// What its agent says it has; `None` until it first connects.
    pub inventory: Option<Arc<Inventory>>,
    /// Whether its agent is in contact, and since when.
    pub contact: (Contact, Timestamp),
    /// Drains and reservations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub closures: BTreeMap<ClosureId, Closed>,
    /// Free amount of each node, in the inventory's order. Derived.
    #[serde(skip)]
    pub free: Vec<Tres>,
    /// Its live allocations. Derived.
    #[serde(skip)]
    pub allocations: BTreeSet<AllocationId>,
}

impl Cluster {
    /// The site it belongs to; its own name until its inventory is known.
    #[must_use]
    pub fn site(&self) -> &str {
        self.inventory.as_ref().map_or(&self.name, |inventory| &inventory.site)
    }
}
