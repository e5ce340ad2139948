//! Pending jobs of one shape, and what the network offers that shape.

use crate::fit::Offer;
use crate::fit::catalog::Catalog;
use crate::fit::score::Yardstick;
use crate::flavor_speed::{Program, Speeds, estimate};
use crate::quota::MemberId;
use crate::reason::Unfit;
use crate::snapshot::{Pending, PendingKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use suanpan_model::id::ClusterId;
use suanpan_model::job::Shape;
use suanpan_model::time::Seconds;

/// What the jobs of one class have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassKey {
    /// What they ask.
    pub shape: Arc<Shape>,
    /// Whose quota they would use; `None` where there are no quotas.
    pub queue: Option<MemberId>,
    /// Their program; `None` where nothing is known of it.
    pub program: Option<Arc<Program>>,
}

/// Pending jobs of one shape and quota, and what the network offers that shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeClass {
    /// Jobs that only their shape decides on, with their ready tasks.
    pub(crate) plain: BTreeMap<PendingKey, u32>,
    /// Jobs with a begin time, a deadline or refusals of their own.
    pub(crate) own: BTreeSet<PendingKey>,
    /// Every way to run the shape, by cluster.
    pub(crate) offers: Vec<Offer>,
    /// The clusters that can never run it, by id.
    pub(crate) unfit: Arc<[Unfit]>,
    /// What `balanced` weighs against.
    pub(crate) yardstick: Yardstick,
}

impl ShapeClass {
    pub(crate) fn new(catalog: &Catalog, of: &ClassKey, speeds: Option<&Speeds>) -> ShapeClass {
        let mut class = ShapeClass {
            plain: BTreeMap::new(),
            own: BTreeSet::new(),
            offers: Vec::new(),
            unfit: Arc::default(),
            yardstick: Yardstick::of(&[]),
        };
        class.rejudge(catalog, of, speeds);
        class
    }

    /// Number of its jobs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.plain.len() + self.own.len()
    }

    /// Whether it has no job left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.own.is_empty()
    }

    pub(crate) fn insert(&mut self, key: PendingKey, pending: &Pending) {
        if pending.has_own_conditions() {
            self.plain.remove(&key);
            self.own.insert(key);
        } else {
            self.own.remove(&key);
            self.plain.insert(key, pending.ready);
        }
    }

    pub(crate) fn remove(&mut self, key: PendingKey) {
        self.plain.remove(&key);
        self.own.remove(&key);
    }

    pub(crate) fn holds(&self, key: PendingKey, pending: &Pending) -> bool {
        match pending.has_own_conditions() {
            true => self.own.contains(&key) && !self.plain.contains_key(&key),
            false => self.plain.get(&key) == Some(&pending.ready) && !self.own.contains(&key),
        }
    }

    /// Asks every cluster anew.
    pub(crate) fn rejudge(&mut self, catalog: &Catalog, of: &ClassKey, speeds: Option<&Speeds>) {
        self.offers.clear();
        let mut unfit = Vec::new();
        for (cluster, _) in catalog.clusters() {
            match catalog.offers(cluster, &of.shape) {
                Ok(offers) => self.offers.extend(offers),
                Err(reason) => unfit.push(reason),
            }
        }
        self.unfit = unfit.into();
        self.estimate(catalog, of.program.as_deref(), speeds);
    }

    /// Works out the run times anew from what is known of the program.
    pub(crate) fn estimate(
        &mut self,
        catalog: &Catalog,
        program: Option<&Program>,
        speeds: Option<&Speeds>,
    ) {
        if let Some(program) = program {
            estimate(&mut self.offers, catalog, program, speeds);
        }
        self.yardstick = Yardstick::of(&self.offers);
    }

    /// Takes in how long what is placed on a cluster waits.
    pub(crate) fn set_wait(&mut self, cluster: ClusterId, wait: Seconds) {
        let first = self.offers.partition_point(|offer| offer.cluster < cluster);
        let of_cluster = self.offers[first..].iter_mut();
        of_cluster.take_while(|offer| offer.cluster == cluster).for_each(|one| one.wait = wait);
        self.yardstick = Yardstick::of(&self.offers);
    }

    /// Asks one cluster anew.
    pub(crate) fn rejudge_cluster(
        &mut self,
        catalog: &Catalog,
        cluster: ClusterId,
        of: &ClassKey,
        speeds: Option<&Speeds>,
    ) {
        self.offers.retain(|offer| offer.cluster != cluster);
        let mut unfit: Vec<Unfit> =
            self.unfit.iter().filter(|entry| entry.cluster != cluster).cloned().collect();
        match catalog.offers(cluster, &of.shape) {
            Ok(offers) => {
                let place = self.offers.partition_point(|offer| offer.cluster < cluster);
                self.offers.splice(place..place, offers);
            }
            Err(reason) => {
                let place = unfit.partition_point(|entry| entry.cluster < cluster);
                unfit.insert(place, reason);
            }
        }
        self.unfit = unfit.into();
        self.estimate(catalog, of.program.as_deref(), speeds);
    }
}
