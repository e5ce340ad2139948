//! Staging times between sites.
//!
//! A transfer takes the link's one-way delay plus `bytes * 8 / throughput`; several inputs are
//! copied one after another. Only direct links count: a declared link works in both directions,
//! and where both ends declare one, the better of the two is taken. Within a site nothing is
//! copied.

use std::collections::{BTreeMap, BTreeSet};
use suanpan_model::job::InputNeed;
use suanpan_model::site::Inventory;
use suanpan_model::time::Seconds;

/// The declared links of the network and the sites that hold the submit host's data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Links {
    /// Sites at which data of the submit host is.
    homes: BTreeSet<String>,
    /// By the names of both ends, the smaller first.
    links: BTreeMap<(String, String), Vec<Edge>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    delay_us: u32,
    throughput_bps: u64,
}

impl Edge {
    /// Microseconds to move `bytes`; `None` over a link that moves nothing.
    fn micros(self, bytes: u64) -> Option<u128> {
        let bits = u128::from(bytes) * 8 * 1_000_000;
        let moving = match u128::from(self.throughput_bps) {
            0 => return None,
            throughput => bits.div_ceil(throughput),
        };
        Some(u128::from(self.delay_us) + moving)
    }
}

/// An input that cannot be brought to a site: where it is, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoLink {
    /// `site guiyang` or `the submit host's site`.
    pub from: String,
}

impl Links {
    /// The links that these inventories declare.
    #[must_use]
    pub fn of<'a>(inventories: impl IntoIterator<Item = &'a Inventory>) -> Links {
        let mut all = Links::default();
        for inventory in inventories {
            if inventory.home {
                all.homes.insert(inventory.site.clone());
            }
            for link in &inventory.links {
                let edge = Edge { delay_us: link.delay_us, throughput_bps: link.throughput_bps };
                let edges = all.links.entry(ends(&inventory.site, &link.to)).or_default();
                if let Err(place) = edges.binary_search(&edge) {
                    edges.insert(place, edge);
                }
            }
        }
        all
    }

    /// How long it takes to bring `inputs` to `site`, rounded up to a second.
    ///
    /// # Errors
    /// The first input that no link reaches.
    pub fn staging(&self, site: &str, inputs: &[InputNeed]) -> Result<Seconds, NoLink> {
        let mut micros: u128 = 0;
        for input in inputs.iter().filter(|one| one.bytes > 0 && one.dataset.is_none()) {
            let moved = match &input.at {
                Some(from) => self.micros(from, site, input.bytes),
                None => {
                    self.homes.iter().filter_map(|home| self.micros(home, site, input.bytes)).min()
                }
            };
            micros = micros.saturating_add(moved.ok_or_else(|| NoLink { from: place(input) })?);
        }
        Ok(Seconds(u64::try_from(micros.div_ceil(1_000_000)).unwrap_or(u64::MAX >> 24)))
    }

    /// Names of the sites a site has a link to, in order.
    #[must_use]
    pub fn neighbours(&self, site: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .links
            .keys()
            .filter_map(|(one, other)| match (one == site, other == site) {
                (true, _) => Some(other.as_str()),
                (_, true) => Some(one.as_str()),
                _ => None,
            })
            .collect();
        names.sort_unstable();
        names
    }

    fn micros(&self, from: &str, to: &str, bytes: u64) -> Option<u128> {
        if from == to {
            return Some(0);
        }
        self.links.get(&ends(from, to))?.iter().filter_map(|edge| edge.micros(bytes)).min()
    }
}

fn ends(one: &str, other: &str) -> (String, String) {
    let (first, second) = if one <= other { (one, other) } else { (other, one) };
    (first.to_owned(), second.to_owned())
}

fn place(input: &InputNeed) -> String {
    match &input.at {
        Some(site) => format!("site {site}"),
        None => "the submit host's site".to_owned(),
    }
}
