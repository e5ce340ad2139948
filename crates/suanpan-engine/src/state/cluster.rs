//! Clusters: what they have, what is free, and their agent's credentials.

use super::Closed;
use crate::command::TokenHash;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_model::id::AllocationId;
use suanpan_model::site::{Inventory, Node};
use suanpan_model::time::Timestamp;
use suanpan_model::tres::Tres;
use suanpan_sched::snapshot::{ClosureId, Contact};

/// One workload manager of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name, given when it was added.
    pub name: String,
    /// Hash of its agent's token; none before it joined and after it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenHash>,
    /// Where it stands on its way into the network.
    #[serde(default, skip_serializing_if = "Standing::is_member")]
    pub standing: Standing,
    /// What its owner joins by, or joined by: who joined may ask again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Invitation>,
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
    /// What our allocations hold on each node. Derived.
    #[serde(skip)]
    pub(super) used: Vec<Tres>,
    /// Its live allocations. Derived.
    #[serde(skip)]
    pub allocations: BTreeSet<AllocationId>,
}

/// Where a cluster stands on its way into the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its owner may join it.
    Invited,
    /// Its agent joined; an operator has not approved it yet.
    Joined,
    /// It takes part.
    #[default]
    Member,
    /// It took part, or might have, and does so no longer.
    Revoked,
}

impl Standing {
    fn is_member(&self) -> bool {
        *self == Standing::Member
    }
}

/// A join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its hash.
    pub token: TokenHash,
    /// The first moment at which it can no longer be used.
    pub expires: Timestamp,
}

impl Cluster {
    /// Begins again: nothing of it may speak before the invitation was used.
    pub(super) fn invite(&mut self, invitation: Invitation) {
        self.token = None;
        self.standing = Standing::Invited;
        self.invitation = Some(invitation);
    }

    /// An agent used the invitation.
    pub(super) fn join(&mut self, token: TokenHash) {
        (self.token, self.standing) = (Some(token), Standing::Joined);
    }

    /// It takes part from now on.
    pub(super) fn approve(&mut self) {
        self.standing = Standing::Member;
    }

    /// Whether it takes part in the network.
    #[must_use]
    pub fn is_member(&self) -> bool {
        self.standing.is_member()
    }

    /// Begins counting anew: nothing of ours is on its nodes.
    pub(super) fn clear_used(&mut self) {
        let nodes = self.inventory.iter().flat_map(|inventory| &inventory.nodes);
        self.free = nodes.map(Node::room).collect();
        self.used = vec![Tres::default(); self.free.len()];
    }

    /// An allocation takes so much of a node.
    pub(super) fn take(&mut self, node: u32, amount: &Tres) {
        if let Some(used) = self.used.get_mut(node as usize) {
            *used = used.plus(amount);
            self.count_free(node as usize);
        }
    }

    /// An allocation gives it back.
    pub(super) fn give_back(&mut self, node: u32, amount: &Tres) {
        if let Some(used) = self.used.get_mut(node as usize) {
            *used = used.checked_sub(amount).expect("what is given back was taken");
            self.count_free(node as usize);
        }
    }

    /// Nothing is free where the site uses more than our allocations leave.
    fn count_free(&mut self, node: usize) {
        let room = self.inventory.as_ref().map(|inventory| inventory.nodes[node].room());
        self.free[node] = room.unwrap_or_default().less(&self.used[node]);
    }

    /// The site it belongs to; its own name until its inventory is known.
    #[must_use]
    pub fn site(&self) -> &str {
        self.inventory.as_ref().map_or(&self.name, |inventory| &inventory.site)
    }
}
