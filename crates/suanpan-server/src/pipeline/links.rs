//! Samples of links between sites, and what is believed of the links because of them.
//!
//! Samples are kept in memory, a bounded number of each link, and never in the journal; an
//! estimate is journaled when it is another one, which [`suanpan_sched::link`] decides. After a
//! restart the journaled estimates stand until there are samples again.

#[cfg(test)]
mod tests;

use super::{ControlPlane, Failure};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};
use suanpan_engine::command::{Caller, Command, LinkChange};
use suanpan_engine::state::{Cluster, State};
use suanpan_model::id::ClusterId;
use suanpan_model::network::{LinkEstimate, Sample};
use suanpan_model::site::Inventory;
use suanpan_model::time::Timestamp;
use suanpan_sched::link::{Declared, Samples, estimate};

/// How often links without samples are looked at too: what operators declare may have changed.
const LOOK_PERIOD: Duration = Duration::from_secs(10);

/// What is set of measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// Name of the control plane's own place among the sites.
    pub hub: String,
    /// Most bytes that an agent moves in an hour to measure.
    pub probe_bytes_per_hour: u64,
}

impl Default for LinkOptions {
    fn default() -> LinkOptions {
        LinkOptions { hub: "hub".to_owned(), probe_bytes_per_hour: 2 << 30 }
    }
}

/// A directed link, by the names of its ends.
pub type Ends = (String, String);

/// Samples of links, by (from, to).
pub struct LinkDesk {
    options: LinkOptions,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    samples: BTreeMap<Ends, Samples>,
    looked: Option<Instant>,
}

/// A sample that its sender cannot have taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its place among those that were sent.
    pub index: usize,
    /// Its ends.
    pub ends: Ends,
    /// The site of its sender.
    pub site: String,
}

/// Why samples were not taken.
#[derive(Debug)]
pub enum Untaken {
    /// One is of a link that its sender does not measure.
    Foreign(Foreign),
    /// The control plane does not answer.
    Failure(Failure),
}

impl From<Failure> for Untaken {
    fn from(failure: Failure) -> Untaken {
        Untaken::Failure(failure)
    }
}

/// What the state knows of links.
struct Known {
    /// Site of the one who asks.
    site: Option<String>,
    sites: BTreeSet<String>,
    declared: BTreeMap<Ends, Declared>,
    links: BTreeMap<Ends, LinkEstimate>,
}

impl LinkDesk {
    pub(crate) fn new(options: LinkOptions) -> LinkDesk {
        LinkDesk { options, inner: Mutex::default() }
    }

    /// What is set.
    #[must_use]
    pub fn options(&self) -> &LinkOptions {
        &self.options
    }

    /// When each link was sampled last.
    #[must_use]
    pub fn sampled(&self) -> BTreeMap<Ends, Timestamp> {
        let newest = |(ends, samples): (&Ends, &Samples)| Some((ends.clone(), samples.newest()?));
        self.lock().samples.iter().filter_map(newest).collect()
    }

    /// Takes an agent's samples and records what they change. An agent measures the links that
    /// lead to its site, and those to and from the control plane.
    ///
    /// # Errors
    /// A sample of another link: then none is taken. Failures of the control plane.
    pub async fn take(
        &self,
        plane: &ControlPlane,
        agent: ClusterId,
        samples: &[Sample],
    ) -> Result<(), Untaken> {
        let known = plane.ask(move |state, _| Known::of(state, agent)).await?;
        let Some(site) = &known.site else { return Ok(()) };
        let hub = &self.options.hub;
        for (index, sample) in samples.iter().enumerate() {
            let is_own = sample.to == *site || sample.from == *site && sample.to == *hub;
            if !is_own {
                let ends = (sample.from.clone(), sample.to.clone());
                return Err(Untaken::Foreign(Foreign { index, ends, site: site.clone() }));
            }
        }
        let changes = self.fold(samples, &known, super::clock::now());
        if !changes.is_empty() {
            let command = Command::RecordEstimates(changes);
            plane.command(Caller::System, command, Vec::new()).await?;
        }
        Ok(())
    }

    /// Adds samples and judges the links they are of; sometimes all links.
    fn fold(&self, samples: &[Sample], known: &Known, now: Timestamp) -> Vec<LinkChange> {
        let mut inner = self.lock();
        // Samples of a site that left in between are of no use.
        let is_place = |name: &String| *name == self.options.hub || known.sites.contains(name);
        let mut touched: BTreeSet<Ends> = BTreeSet::new();
        let is_link =
            |one: &&Sample| one.from != one.to && is_place(&one.from) && is_place(&one.to);
        for sample in samples.iter().filter(is_link) {
            let ends = (sample.from.clone(), sample.to.clone());
            inner.samples.entry(ends.clone()).or_default().add(sample);
            touched.insert((ends.1.clone(), ends.0.clone()));
            touched.insert(ends);
        }
        if inner.looked.is_none_or(|looked| looked.elapsed() >= LOOK_PERIOD) {
            inner.looked = Some(Instant::now());
            inner.samples.retain(|(from, to), _| is_place(from) && is_place(to));
            touched.extend(known.declared.keys().cloned());
            touched.extend(known.links.keys().cloned());
        }
        let none = Samples::default();
        let judged = touched.into_iter().map(|ends| {
            let (is_there, current) =
                (is_place(&ends.0) && is_place(&ends.1), known.links.get(&ends));
            let reverse = known.links.get(&(ends.1.clone(), ends.0.clone()));
            let declared = known.declared.get(&ends).copied();
            let samples = inner.samples.get(&ends).unwrap_or(&none);
            let found = is_there.then(|| estimate(samples, current, declared, reverse, now));
            let (found, (from, to)) = (found.flatten(), ends);
            (found.as_ref() != current).then_some(LinkChange { from, to, estimate: found })
        });
        judged.flatten().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while it holds the lock")
    }
}

impl Known {
    fn of(state: &State, agent: ClusterId) -> Known {
        let inventories: Vec<&Inventory> = state
            .clusters()
            .filter(|(_, cluster)| cluster.is_member())
            .filter_map(|(_, cluster)| cluster.inventory.as_deref())
            .collect();
        let site = state.clusters().find(|(id, _)| *id == agent);
        let of_member = |(_, cluster): (ClusterId, &Cluster)| {
            let inventory = cluster.inventory.as_deref().filter(|_| cluster.is_member());
            inventory.map(|inventory| inventory.site.clone())
        };
        Known {
            site: site.and_then(of_member),
            sites: inventories.iter().map(|inventory| inventory.site.clone()).collect(),
            declared: declared(&inventories),
            links: state.links(),
        }
    }
}

/// What operators declare, by (from, to). A link that is declared in one direction only is taken
/// to be the same in the other.
fn declared(inventories: &[&Inventory]) -> BTreeMap<Ends, Declared> {
    let mut one_way = BTreeMap::new();
    for inventory in inventories {
        for link in &inventory.links {
            let ends = (inventory.site.clone(), link.to.clone());
            one_way.insert(ends, (link.delay_us, link.throughput_bps));
        }
    }
    let mut found = BTreeMap::new();
    for ((from, to), (there, throughput_bps)) in &one_way {
        let back = (to.clone(), from.clone());
        let declared_back = one_way.get(&back).copied();
        let (delay_back, throughput_back) = declared_back.unwrap_or((*there, *throughput_bps));
        let round_trip_us = there.saturating_add(delay_back);
        let of = |throughput_bps| Declared { round_trip_us, throughput_bps };
        found.insert((from.clone(), to.clone()), of(*throughput_bps));
        found.insert(back, of(throughput_back));
    }
    found
}
