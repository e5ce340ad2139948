//! What moving data costs: links between sites, and which site has which data.
//!
//! A link is directed, from one site to another. What was measured of it counts; where nothing was
//! measured, what an operator declares, in both directions, and where both ends declare a link the
//! one with more throughput. Only direct links count. Within a site nothing is moved. A link
//! carries no more than its operator allows at this time of day.
//!
//! Datasets reach every site, if need be by the control plane: where nothing is known of a link,
//! they are taken to come at [`ASSUMED_BPS`]; where nothing gets through, by the best place that is
//! no site and has links from the one and to the other (the control plane's own), first into its
//! store and then out of it, so that both times add up.
//!
//! How long one link takes for some bytes is said by [`transfer_time`](super::transfer_time).
//! Inputs that come over the same link share it max–min fairly (Bertsekas and Gallager, *Data
//! Networks*, section 6.5.2): as a transfer here crosses one link only, each gets an equal share of
//! its link, and the last is through when the link has moved the bytes of all. Inputs over
//! different links come at the same time. So staging takes as long as the link that is busy
//! longest.
//!
//! Of a dataset only the bytes that the site has not are moved, from one site that has it whole.
//! Where several have, each input takes the one from which it is there first, those with the
//! fewest sources and then the most bytes choosing first.
//!
//! With `i` inputs, `h` homes, `r` replicas of a dataset and `l` links into a site:
//! O(i (h + r) log l) for a site, without allocating names where no link has a limit; O(1) for a
//! job without inputs.

use super::transfer_time;
use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::id::DatasetId;
use suanpan_model::job::InputNeed;
use suanpan_model::network::{LinkEstimate, Origin};
use suanpan_model::site::Inventory;
use suanpan_model::time::Seconds;

#[cfg(test)]
mod tests;

/// What a link of which nothing is known is taken to move: the slowest that sites of a network are
/// usually attached with.
pub const ASSUMED_BPS: u64 = 100_000_000;

/// Links by the site they lead to, then by the site they come from.
type Incoming = BTreeMap<String, BTreeMap<String, Path>>;

/// Most bits per second that links may carry now, by (from, to).
pub type Limits = BTreeMap<(String, String), u64>;

/// The links of the network, and where data is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Sites at which data of the submit host is.
    homes: BTreeSet<String>,
    /// Every site.
    sites: BTreeSet<String>,
    declared: Incoming,
    measured: Incoming,
    /// Most bits per second now, by (from, to).
    limits: Limits,
    datasets: BTreeMap<DatasetId, DatasetView>,
}

/// What placement knows of a dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetView {
    /// Its size.
    pub bytes: u64,
    /// By the name of a site, how many of its bytes are there and verified. All of them make a
    /// complete replica.
    pub present: BTreeMap<String, u64>,
}

/// Believed properties of a directed link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Path {
    throughput_bps: u64,
    /// One way.
    delay_us: u32,
    origin: Origin,
}

/// How long it takes to bring data somewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Staging {
    /// Until the last byte is there, rounded up to a second.
    pub time: Seconds,
    /// Bytes that are moved.
    pub bytes: u64,
    /// The least certain of the sources of the links' throughput; `None` if nothing is moved.
    pub origin: Option<Origin>,
}

/// Why an input cannot be brought to a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// No site has all of this dataset, and this one has not either.
    NoReplica(DatasetId),
    /// No link leads from where it is, in words: `site guiyang` or `the submit host's site`.
    NoLink(String),
    /// There is a link, but nothing gets through.
    Down(String),
}

impl Path {
    const ASSUMED: Path =
        Path { throughput_bps: ASSUMED_BPS, delay_us: 0, origin: Origin::Assumed };

    /// Microseconds to move `bytes`; `None` over a link that moves nothing.
    fn micros(self, bytes: u64) -> Option<u128> {
        transfer_time::micros(bytes, u64::from(self.delay_us) * 2, self.throughput_bps)
    }

    /// One link after the other: all bytes over this one, then all over `next`.
    fn then(self, next: Path) -> Path {
        let (one, other) = (u128::from(self.throughput_bps), u128::from(next.throughput_bps));
        // Of two zeros there is no sum to divide by.
        let both = (one * other).div_ceil((one + other).max(1));
        Path {
            throughput_bps: u64::try_from(both).expect("it is not above either"),
            delay_us: self.delay_us.saturating_add(next.delay_us),
            origin: Origin::Derived,
        }
    }

    fn of(estimate: &LinkEstimate) -> Path {
        Path {
            throughput_bps: estimate.throughput_bps,
            delay_us: estimate.round_trip_us / 2,
            origin: estimate.throughput_from,
        }
    }
}

/// One input that must be moved: how many bytes, and from where it could come.
struct Moving<'a> {
    bytes: u64,
    sources: Vec<(&'a str, Path)>,
}

impl Links {
    /// Takes in the links and homes that these inventories declare, instead of those before. Says
    /// whether anything is different.
    pub(crate) fn declare<'a>(
        &mut self,
        inventories: impl IntoIterator<Item = &'a Inventory>,
    ) -> bool {
        let (mut homes, mut declared) = (BTreeSet::new(), Incoming::new());
        let mut sites = BTreeSet::new();
        for inventory in inventories {
            sites.insert(inventory.site.clone());
            if inventory.home {
                homes.insert(inventory.site.clone());
            }
            for link in &inventory.links {
                let origin = Origin::Declared;
                let (throughput_bps, delay_us) = (link.throughput_bps, link.delay_us);
                let path = Path { throughput_bps, delay_us, origin };
                keep_better(&mut declared, &inventory.site, &link.to, path);
                keep_better(&mut declared, &link.to, &inventory.site, path);
            }
        }
        let changed = homes != self.homes || declared != self.declared || sites != self.sites;
        (self.homes, self.declared, self.sites) = (homes, declared, sites);
        changed
    }

    /// Takes in how much links may carry now, instead of what was set before. Answers with the
    /// sites at either end of a link with another limit.
    pub(crate) fn limit(&mut self, limits: Limits) -> BTreeSet<String> {
        let mut changed = BTreeSet::new();
        let mut compare = |one: &Limits, other: &Limits| {
            for (ends, bps) in one {
                if other.get(ends) != Some(bps) {
                    changed.extend([ends.0.clone(), ends.1.clone()]);
                }
            }
        };
        compare(&limits, &self.limits);
        compare(&self.limits, &limits);
        self.limits = limits;
        changed
    }

    /// Takes in all measured links, by (from, to), instead of those before. Answers with the sites
    /// at either end of a link that is different.
    pub(crate) fn measure(
        &mut self,
        estimates: &BTreeMap<(String, String), LinkEstimate>,
    ) -> BTreeSet<String> {
        let mut measured = Incoming::new();
        for ((from, to), estimate) in estimates {
            let into = measured.entry(to.clone()).or_default();
            into.insert(from.clone(), Path::of(estimate));
        }
        let mut changed = BTreeSet::new();
        let mut compare = |one: &Incoming, other: &Incoming| {
            for (to, from, path) in flat(one) {
                if other.get(to).and_then(|into| into.get(from)) != Some(path) {
                    changed.extend([to.clone(), from.clone()]);
                }
            }
        };
        compare(&measured, &self.measured);
        compare(&self.measured, &measured);
        self.measured = measured;
        changed
    }

    /// Takes in what became of a dataset; `None` if it is gone. Answers with the sites whose
    /// staging may differ, `None` for all.
    pub(crate) fn hold(
        &mut self,
        id: DatasetId,
        view: Option<DatasetView>,
    ) -> Option<BTreeSet<String>> {
        let before = match view.clone() {
            Some(view) => self.datasets.insert(id, view),
            None => self.datasets.remove(&id),
        };
        let (Some(before), Some(after)) = (before, view) else { return None };
        let same_sources = before.bytes == after.bytes && before.replicas().eq(after.replicas());
        let names = || before.present.keys().chain(after.present.keys());
        let differs = |site: &&String| before.present.get(*site) != after.present.get(*site);
        same_sources.then(|| names().filter(differs).cloned().collect())
    }

    /// What it takes to bring `inputs` to `site`.
    ///
    /// # Errors
    /// The first input that cannot be brought there.
    pub fn staging(&self, site: &str, inputs: &[InputNeed]) -> Result<Staging, Unreachable> {
        let mut moving = Vec::new();
        for input in inputs {
            moving.extend(self.moving(site, input)?);
        }
        // Stable, so that equal inputs keep the order of the request.
        moving.sort_by_key(|one| (one.sources.len(), std::cmp::Reverse(one.bytes)));
        let mut loads: Vec<(&str, Path, u64)> = Vec::new();
        for one in &moving {
            let load = |from: &str| loads.iter().find(|load| load.0 == from).map_or(0, |l| l.2);
            let arrives = |&&(from, path): &&(&str, Path)| {
                path.micros(load(from).saturating_add(one.bytes)).unwrap_or(u128::MAX)
            };
            let &(from, path) = one.sources.iter().min_by_key(arrives).expect("it has a source");
            match loads.iter_mut().find(|load| load.0 == from) {
                Some(load) => load.2 = load.2.saturating_add(one.bytes),
                None => loads.push((from, path, one.bytes)),
            }
        }
        let micros = loads.iter().filter_map(|(_, path, bytes)| path.micros(*bytes)).max();
        Ok(Staging {
            time: seconds(micros.unwrap_or(0)),
            bytes: loads.iter().fold(0, |sum, load| load.2.saturating_add(sum)),
            origin: loads.iter().map(|(_, path, _)| path.origin).max_by_key(doubt),
        })
    }

    /// What it takes to bring outputs of so many bytes from `site` to the nearest of the submit
    /// hosts' sites. Where no link leads there nothing is known, which is not a refusal.
    #[must_use]
    pub fn returning(&self, site: &str, bytes: u64) -> Staging {
        if bytes == 0 || self.homes.contains(site) {
            return Staging::default();
        }
        let paths = self.homes.iter().filter_map(|home| self.path(site, home));
        let timed = paths.filter_map(|path| Some((path.micros(bytes)?, path.origin)));
        let best = timed.min_by_key(|&(micros, _)| micros);
        best.map_or(Staging::default(), |(micros, origin)| Staging {
            time: seconds(micros),
            bytes,
            origin: Some(origin),
        })
    }

    /// Names of the sites with a link to a site, in order.
    #[must_use]
    pub fn neighbours(&self, site: &str) -> Vec<&str> {
        let into = [&self.declared, &self.measured].into_iter().filter_map(|all| all.get(site));
        let names: BTreeSet<&str> = into.flat_map(|into| into.keys().map(String::as_str)).collect();
        names.into_iter().collect()
    }

    /// What of an input must be moved to `site`, if anything.
    fn moving<'a>(
        &'a self,
        site: &str,
        input: &'a InputNeed,
    ) -> Result<Option<Moving<'a>>, Unreachable> {
        let (bytes, holders): (u64, Vec<&str>) = match (input.dataset, &input.at) {
            (Some(id), _) => match self.datasets.get(&id) {
                Some(view) => match (view.missing_at(site), view.replicas().next()) {
                    (0, _) => return Ok(None),
                    (_, None) => return Err(Unreachable::NoReplica(id)),
                    (missing, Some(_)) => (missing, view.replicas().collect()),
                },
                None => return Err(Unreachable::NoReplica(id)),
            },
            (None, Some(at)) => (input.bytes, vec![at]),
            (None, None) => (input.bytes, self.homes.iter().map(String::as_str).collect()),
        };
        if bytes == 0 || holders.contains(&site) {
            return Ok(None);
        }
        let path = |from| match input.dataset {
            Some(_) => Some(self.dataset_path(from, site)),
            None => self.path(from, site),
        };
        let known = |from| Some((from, path(from)?));
        let mut sources: Vec<(&str, Path)> = holders.into_iter().filter_map(known).collect();
        if sources.is_empty() {
            return Err(Unreachable::NoLink(place(input)));
        }
        sources.retain(|(_, path)| path.throughput_bps > 0);
        match sources.is_empty() {
            true => Err(Unreachable::Down(place(input))),
            false => Ok(Some(Moving { bytes, sources })),
        }
    }

    fn path(&self, from: &str, to: &str) -> Option<Path> {
        let of = |all: &Incoming| all.get(to)?.get(from).copied();
        of(&self.measured).or_else(|| of(&self.declared)).map(|path| self.limited(path, from, to))
    }

    /// The way of a dataset: the direct link, or by the control plane's store. O(links into `to`).
    fn dataset_path(&self, from: &str, to: &str) -> Path {
        let Some(direct) = self.path(from, to) else {
            return self.limited(Path::ASSUMED, from, to);
        };
        if direct.throughput_bps > 0 {
            return direct;
        }
        let vias = self.neighbours(to).into_iter().filter(|via| !self.sites.contains(*via));
        let relayed = vias.filter_map(|via| Some(self.path(from, via)?.then(self.path(via, to)?)));
        relayed.max_by_key(|path| path.throughput_bps).unwrap_or(direct)
    }

    fn limited(&self, mut path: Path, from: &str, to: &str) -> Path {
        if self.limits.is_empty() {
            return path;
        }
        let limit = self.limits.get(&(from.to_owned(), to.to_owned()));
        path.throughput_bps = path.throughput_bps.min(limit.copied().unwrap_or(u64::MAX));
        path
    }
}

/// Least certain last.
fn doubt(origin: &Origin) -> u8 {
    match origin {
        Origin::Measured => 0,
        Origin::Derived => 1,
        Origin::Declared => 2,
        Origin::Assumed => 3,
    }
}

impl DatasetView {
    /// The sites that have all of it, in order.
    fn replicas(&self) -> impl Iterator<Item = &str> {
        let whole = self.present.iter().filter(|(_, bytes)| **bytes >= self.bytes);
        whole.map(|(site, _)| site.as_str())
    }

    fn missing_at(&self, site: &str) -> u64 {
        self.bytes.saturating_sub(self.present.get(site).copied().unwrap_or(0))
    }
}

/// Where an input is, in words.
fn place(input: &InputNeed) -> String {
    match (input.dataset, &input.at) {
        (Some(id), _) => format!("a site with all of dataset {id}"),
        (None, Some(site)) => format!("site {site}"),
        (None, None) => "the submit host's site".to_owned(),
    }
}

fn keep_better(links: &mut Incoming, from: &str, to: &str, path: Path) {
    let into = links.entry(to.to_owned()).or_default();
    let best = into.entry(from.to_owned()).or_insert(path);
    let rank = |path: &Path| (path.throughput_bps, std::cmp::Reverse(path.delay_us));
    if rank(&path) > rank(best) {
        *best = path;
    }
}

/// Every link as (to, from, path).
fn flat(links: &Incoming) -> impl Iterator<Item = (&String, &String, &Path)> {
    links.iter().flat_map(|(to, into)| into.iter().map(move |(from, path)| (to, from, path)))
}

/// Microseconds rounded up to seconds, at most what a timestamp can still be moved by.
fn seconds(micros: u128) -> Seconds {
    Seconds(u64::try_from(micros.div_ceil(1_000_000)).unwrap_or(u64::MAX >> 24))
}
