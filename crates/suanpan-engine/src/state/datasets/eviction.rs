//! Which replicas a site should let go: the least recently used, while it holds more than its
//! quota, or would with what it is to get; never one that is needed there, and never the last
//! complete one.

use super::{BlobHash, Content, Replica, State, Stay, inputs_of};
use std::collections::{BTreeMap, BTreeSet};

impl Replica {
    /// Bytes that letting it go would free, as far as is known.
    fn evictable(&self) -> u64 {
        self.present.saturating_sub(self.left)
    }
}

impl State {
    /// The first site that holds more than its quota and has something to let go, and what. One
    /// site at a time: what one lets go decides what others must keep.
    ///
    /// Costs O(sites * contents), and O(contents * log contents) for a site over its quota.
    pub(crate) fn eviction_due(&self) -> Option<(String, Vec<BlobHash>)> {
        if self.datasets.contents.is_empty() {
            return None;
        }
        self.data_quotas().into_iter().find_map(|(site, quota)| {
            let victims = self.victims(site, quota);
            (!victims.is_empty()).then(|| (site.to_owned(), victims))
        })
    }

    /// The quota of each site; the smallest where its clusters say different ones.
    fn data_quotas(&self) -> BTreeMap<&str, u64> {
        let mut quotas = BTreeMap::new();
        for cluster in self.clusters.values() {
            if let Some(quota) = cluster.inventory.as_ref().and_then(|one| one.data_quota) {
                let least = quotas.entry(cluster.site()).or_insert(quota);
                *least = quota.min(*least);
            }
        }
        quotas
    }

    fn victims(&self, site: &str, quota: u64) -> Vec<BlobHash> {
        let contents = &self.datasets.contents;
        let at = contents.iter().filter_map(|(manifest, content)| {
            content.replicas.get(site).map(|replica| (*manifest, content, replica))
        });
        let at: Vec<(BlobHash, &Content, &Replica)> = at.collect();
        // Chunks that contents share are counted in each of them, so the sum is only used where
        // the site has not said how much it stores.
        let stored = self.datasets.stored.get(site).copied();
        let sum = || at.iter().map(|(.., replica)| replica.present).sum();
        let gone = at.iter().filter(|(.., replica)| replica.stay == Stay::Evicted);
        let gone: u64 = gone.map(|(.., replica)| replica.evictable()).sum();
        let needed = self.needed_at(site);
        // A site takes no more than its quota, so room is made for what it has yet to get.
        let missing = |manifest: &BlobHash| {
            let content = &contents[manifest];
            content.size.bytes.saturating_sub(content.present(site))
        };
        let coming: u64 = needed.iter().map(missing).sum();
        let all = stored.unwrap_or_else(sum).saturating_sub(gone).saturating_add(coming);
        let mut excess = all.saturating_sub(quota);
        if excess == 0 {
            return Vec::new();
        }
        let mut idle: Vec<_> = at
            .into_iter()
            .filter(|(manifest, content, replica)| {
                replica.stay == Stay::Kept
                    && replica.evictable() > 0
                    && !needed.contains(manifest)
                    && content.complete().any(|other| other != site)
            })
            .collect();
        idle.sort_by_key(|(manifest, _, replica)| (replica.used, *manifest));
        let mut victims = Vec::new();
        for (manifest, _, replica) in idle {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(replica.evictable());
            victims.push(manifest);
        }
        victims
    }

    /// Contents that a site's orders read or that are pinned there.
    fn needed_at(&self, site: &str) -> BTreeSet<BlobHash> {
        let clusters = self.clusters.values().filter(|cluster| cluster.site() == site);
        let allocations = clusters.flat_map(|cluster| &cluster.allocations);
        let jobs = allocations.map(|id| &self.jobs[&self.allocations[id].placed.job]);
        let read = jobs.flat_map(inputs_of).filter_map(|id| self.manifest_of(id));
        let versions = self.datasets.versions.values();
        let pinned = versions.filter(|one| one.pins.contains(site)).map(|one| one.manifest);
        read.chain(pinned).collect()
    }
}
