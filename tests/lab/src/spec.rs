//! What a lab consists of.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::path::Path;

/// Name of the place without Slurm where the control plane stands; its number is 0.
pub const HUB: &str = "hub";

/// The three sites that tests use.
const THREE_SITES: &str = include_str!("../three-sites.toml");

/// Sites and the links between them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The sites; their numbers are 1 and up, in this order.
    #[serde(rename = "site")]
    pub sites: Vec<SiteSpec>,
    /// The links; a pair without one cannot talk.
    #[serde(default, rename = "link")]
    pub links: Vec<LinkSpec>,
}

/// One Slurm cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteSpec {
    /// Name of the site, its cluster and its namespace.
    pub name: String,
    /// Size of a disk of its own ([`crate::Lab::disk`]), MiB; none if absent.
    #[serde(default)]
    pub disk_mib: Option<u32>,
    /// How long a requeued job waits before it starts again, seconds; Slurm's 120 if absent.
    #[serde(default)]
    pub requeue_delay_s: Option<u32>,
    /// Its nodes, each a real `slurmd`.
    pub nodes: Vec<NodesSpec>,
}

/// Equal nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodesSpec {
    /// One name, or `name-[1-3]`.
    pub names: String,
    /// CPUs of each.
    pub cpus: u32,
    /// Memory of each, MiB.
    pub memory: u32,
    /// `name:type:count`.
    #[serde(default)]
    pub gres: Option<String>,
    /// Partition; the first of a site is its default.
    pub partition: String,
    /// Longest time of a job there, as Slurm writes it.
    pub time_max: String,
}

/// The link of a pair, the same in both directions.
#[derive(Clone, Debug, Deserialize)]
pub struct LinkSpec {
    /// The two ends.
    pub between: [String; 2],
    /// How it behaves.
    #[serde(flatten)]
    pub quality: Quality,
}

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub struct Quality {
    /// Round trip, milliseconds.
    pub rtt_ms: f64,
    /// Rate of each direction, Mbit/s; 0 is a cut.
    pub mbit: f64,
    /// Packets lost, percent.
    #[serde(default)]
    pub loss: f64,
    /// Most that is added to the delay of a packet, milliseconds.
    #[serde(default)]
    pub jitter_ms: f64,
}

impl Quality {
    /// Nothing passes.
    pub const CUT: Quality = Quality { rtt_ms: 0.0, mbit: 0.0, loss: 0.0, jitter_ms: 0.0 };
}

impl Spec {
    /// The three sites that tests use.
    #[must_use]
    pub fn three_sites() -> Spec {
        toml::from_str(THREE_SITES).expect("the file in the repository is sound")
    }

    /// The first of them alone with the hub.
    #[must_use]
    pub fn one_site() -> Spec {
        let mut spec = Spec::three_sites();
        spec.sites.truncate(1);
        let alone = [HUB.to_owned(), spec.sites[0].name.clone()];
        spec.links.retain(|link| link.between == alone);
        spec
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read or something in it is wrong.
    pub fn read(path: &Path) -> anyhow::Result<Spec> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let spec: Spec = toml::from_str(&text).with_context(|| path.display().to_string())?;
        for link in &spec.links {
            for end in &link.between {
                spec.number(end).with_context(|| format!("{}: link", path.display()))?;
            }
        }
        Ok(spec)
    }

    /// Names of all places, the hub first.
    pub fn places(&self) -> impl Iterator<Item = &str> {
        std::iter::once(HUB).chain(self.sites.iter().map(|site| site.name.as_str()))
    }

    /// The number of a place, which is the third octet of its address.
    ///
    /// # Errors
    /// If there is no such place.
    pub fn number(&self, place: &str) -> anyhow::Result<usize> {
        let known = || self.places().collect::<Vec<_>>().join(", ");
        match self.places().position(|name| name == place) {
            Some(number) => Ok(number),
            None => bail!("there is no place `{place}`; there are {}", known()),
        }
    }
}

impl SiteSpec {
    /// Names of all its nodes.
    #[must_use]
    pub fn node_names(&self) -> Vec<String> {
        self.nodes.iter().flat_map(|nodes| expand(&nodes.names)).collect()
    }
}

/// `n-[1-3]` as `n-1`, `n-2`, `n-3`; anything else as it is.
#[must_use]
pub fn expand(names: &str) -> Vec<String> {
    let range = || {
        let (stem, rest) = names.split_once('[')?;
        let (first, last) = rest.strip_suffix(']')?.split_once('-')?;
        let numbers = first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?;
        Some(numbers.map(|number| format!("{stem}{number}")).collect())
    };
    range().unwrap_or_else(|| vec![names.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_sites_are_linked_with_each_other_and_the_hub() {
        let spec = Spec::three_sites();
        assert_eq!(spec.places().collect::<Vec<_>>(), ["hub", "shanghai", "guiyang", "ulanqab"]);
        assert_eq!(spec.links.len(), 6);
        assert_eq!(spec.sites[1].node_names(), ["gy-npu-1", "gy-npu-2", "gy-npu-3"]);
        assert!(spec.number("paris").is_err());
    }
}
