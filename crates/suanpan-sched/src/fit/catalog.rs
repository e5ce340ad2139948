//! What all clusters have, arranged for asking which of them fit a shape.

use crate::fit::Offer;
use crate::fit::feasible::{Ground, offers};
use crate::fit::network::{DatasetView, Limits, Links};
use crate::fit::pool::{Pool, pools};
use crate::reason::{Predicate, Unfit};
use crate::waits::Wait;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_model::id::{ClusterId, DatasetId};
use suanpan_model::job::Shape;
use suanpan_model::network::LinkEstimate;
use suanpan_model::site::{Flavor, Inventory};
use suanpan_model::time::Seconds;

/// Inventories with their pools and links, kept up to date one inventory at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    entries: BTreeMap<ClusterId, Entry>,
    links: Links,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    inventory: Arc<Inventory>,
    pools: Vec<Pool>,
    wait: Option<Wait>,
}

/// Which shapes must be judged anew after an inventory changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejudge {
    /// Nothing changed.
    Nothing,
    /// Only what this cluster offers.
    Cluster,
    /// Links or sites changed: staging times everywhere may differ.
    Everything,
}

impl Catalog {
    /// Takes in a cluster's inventory and says what it touches.
    pub fn set(&mut self, cluster: ClusterId, inventory: Arc<Inventory>) -> Rejudge {
        let before = self.entries.get(&cluster);
        if before.is_some_and(|entry| entry.inventory == inventory) {
            return Rejudge::Nothing;
        }
        let pools = pools(&inventory);
        let wait = before.and_then(|entry| entry.wait);
        self.entries.insert(cluster, Entry { inventory, pools, wait });
        match self.links.declare(self.entries.values().map(|entry| &*entry.inventory)) {
            false => Rejudge::Cluster,
            true => Rejudge::Everything,
        }
    }

    /// Takes in all measured links, by (from, to), instead of those before. Answers with the
    /// clusters at which staging may take another time. O(links log links + clusters).
    pub fn set_links(
        &mut self,
        links: &BTreeMap<(String, String), LinkEstimate>,
    ) -> Vec<ClusterId> {
        let sites = self.links.measure(links);
        self.at(&sites)
    }

    /// Takes in how much links may carry now, by (from, to), instead of what was set before.
    /// Answers with the clusters at which staging may take another time. O(limits log limits +
    /// clusters).
    pub fn set_limits(&mut self, limits: Limits) -> Vec<ClusterId> {
        let sites = self.links.limit(limits);
        self.at(&sites)
    }

    /// Takes in where a dataset is; `None` if it is gone. Answers with the clusters at which
    /// staging it may take another time. O(sites + clusters).
    pub fn set_dataset(&mut self, id: DatasetId, view: Option<DatasetView>) -> Vec<ClusterId> {
        match self.links.hold(id, view) {
            Some(sites) => self.at(&sites),
            None => self.entries.keys().copied().collect(),
        }
    }

    /// Takes in what is known of the waits at a cluster.
    pub(crate) fn set_wait(&mut self, cluster: ClusterId, wait: Option<Wait>) {
        if let Some(entry) = self.entries.get_mut(&cluster) {
            entry.wait = wait;
        }
    }

    /// What is known of the waits at a cluster.
    pub(crate) fn wait(&self, cluster: ClusterId) -> Option<Wait> {
        self.entries.get(&cluster)?.wait
    }

    fn at(&self, sites: &BTreeSet<String>) -> Vec<ClusterId> {
        let at = self.entries.iter().filter(|(_, entry)| sites.contains(&entry.inventory.site));
        at.map(|(&id, _)| id).collect()
    }

    /// The clusters, by id.
    pub fn clusters(&self) -> impl Iterator<Item = (ClusterId, &Arc<Inventory>)> {
        self.entries.iter().map(|(&id, entry)| (id, &entry.inventory))
    }

    /// Number of clusters.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no cluster has joined yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What a cluster offers a shape, or the first condition it does not meet.
    ///
    /// # Errors
    /// The first standing condition that no pool of the cluster meets.
    ///
    /// # Panics
    /// If the cluster never gave an inventory.
    pub fn offers(&self, cluster: ClusterId, shape: &Shape) -> Result<Vec<Offer>, Unfit> {
        offers(&self.ground(cluster), shape)
    }

    /// The flavor of an offer.
    pub(crate) fn flavor(&self, offer: &Offer) -> &Flavor {
        &self.ground(offer.cluster).inventory.flavors[usize::from(offer.flavor)]
    }

    /// The pools of a cluster; none if it is unknown.
    #[must_use]
    pub fn pools(&self, cluster: ClusterId) -> &[Pool] {
        self.entries.get(&cluster).map_or(&[], |entry| &entry.pools)
    }

    pub(crate) fn ground(&self, cluster: ClusterId) -> Ground<'_> {
        let entry = self.entries.get(&cluster).expect("a cluster that is asked has an inventory");
        let wait = entry.wait.map_or(Seconds(0), |wait| wait.median);
        let (inventory, pools) = (&entry.inventory, &entry.pools);
        Ground { cluster, inventory, pools, links: &self.links, wait }
    }

    /// Whether any cluster could ever run this shape, by its inventory alone: contact and load do
    /// not count, nor where datasets are and how they could get there, which changes. While no
    /// cluster has joined, everything is possible.
    ///
    /// # Errors
    /// For every cluster, the first condition it does not meet.
    pub fn possible(&self, shape: &Shape) -> Result<(), Vec<Unfit>> {
        let mut unfit = Vec::new();
        let moves_datasets = shape.inputs.iter().any(|input| input.dataset.is_some());
        for &cluster in self.entries.keys() {
            match self.offers(cluster, shape) {
                Ok(_) => return Ok(()),
                Err(reason) if moves_datasets && reason.predicate >= Predicate::Replica => {
                    return Ok(());
                }
                Err(reason) => unfit.push(reason),
            }
        }
        if unfit.is_empty() { Ok(()) } else { Err(unfit) }
    }
}

/// [`Catalog::possible`] for callers that keep no catalog.
///
/// # Errors
/// For every cluster, the first condition it does not meet.
pub fn possible<'a>(
    inventories: impl IntoIterator<Item = (ClusterId, &'a Arc<Inventory>)>,
    shape: &Shape,
) -> Result<(), Vec<Unfit>> {
    let mut catalog = Catalog::default();
    for (cluster, inventory) in inventories {
        catalog.set(cluster, Arc::clone(inventory));
    }
    catalog.possible(shape)
}
