//! Which ports may be joined, and the fabric once they are.

use std::collections::BTreeMap;

use crate::fabric::{Fabric, Link, Partners, Shape, State};
use crate::problem::Problem;

/// The ports of a fabric, some of them taken.
#[derive(Clone, Debug)]
pub(super) struct Budget<'a> {
    fabric: &'a Fabric,
    /// Ports left of each entry of [`Fabric::ports`].
    free: Vec<u32>,
    /// Entries of each element.
    of: BTreeMap<u32, Vec<u32>>,
}

/// Two entries of [`Fabric::ports`] with a link through a port of each.
pub(super) type Pair = (u32, u32);

impl<'a> Budget<'a> {
    /// All ports of elements that are up.
    pub fn new(fabric: &'a Fabric) -> Self {
        let mut of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (entry, ports) in (0..).zip(fabric.ports()) {
            if fabric.is_up(ports.element) && ports.degree > 0 {
                of.entry(ports.element).or_default().push(entry);
            }
        }
        Self { fabric, free: fabric.ports().iter().map(|ports| ports.degree).collect(), of }
    }

    /// Elements that have ports, in order.
    pub fn elements(&self) -> Vec<u32> {
        self.of.keys().copied().collect()
    }

    /// The fewest ports that one of these elements has.
    pub fn degree(&self, elements: &[u32]) -> u32 {
        let sum = |e: &u32| self.of[e].iter().map(|&entry| self.free[entry as usize]).sum();
        elements.iter().map(sum).min().unwrap_or(0)
    }

    /// Whether an element has a port left.
    pub fn has_free(&self, element: u32) -> bool {
        let entries = self.of.get(&element).map_or(&[][..], Vec::as_slice);
        entries.iter().any(|&entry| self.free[entry as usize] > 0)
    }

    /// Two entries with free ports, of this group if one is asked for, that may be joined.
    /// O(entries of both · log partners).
    pub fn pair(&self, a: u32, b: u32, group: Option<&str>) -> Option<Pair> {
        let ports = self.fabric.ports();
        let near = self.of.get(&a)?.iter().filter(|&&entry| self.free[entry as usize] > 0);
        near.flat_map(|&one| self.of.get(&b).into_iter().flatten().map(move |&two| (one, two)))
            .find(|&(one, two)| {
                let (one, far) = (&ports[one as usize], two as usize);
                a != b
                    && self.free[far] > 0
                    && one.group == ports[far].group
                    && group.is_none_or(|group| *one.group == *group)
                    && allows(&one.partners, b)
                    && allows(&ports[far].partners, a)
            })
    }

    /// Joins two elements.
    ///
    /// # Errors
    /// If no two of their ports that are left may be joined.
    pub fn join(&mut self, a: u32, b: u32, group: Option<&str>) -> Result<Pair, Problem> {
        let pair = self.pair(a, b, group).ok_or_else(|| {
            let id = |e: u32| &self.fabric.elements()[e as usize].id;
            let value = format!("{} to {}", id(a), id(b));
            Problem::new("connections", value, "two free ports of one group that may be joined")
        })?;
        self.free[pair.0 as usize] -= 1;
        self.free[pair.1 as usize] -= 1;
        Ok(pair)
    }
}

fn allows(partners: &Partners, element: u32) -> bool {
    match partners {
        Partners::Any => true,
        Partners::Listed(listed) => listed.binary_search(&element).is_ok(),
    }
}

/// The fabric with its fixed links and one link for each pair; no port is left to set.
///
/// # Errors
/// If a pair is of entries that do not exist or may not be joined, or an entry has too few ports.
pub(super) fn set(fabric: &Fabric, pairs: &[Pair], shape: Shape) -> Result<Fabric, Problem> {
    let mut parts = fabric.clone().into_parts();
    let ports = std::mem::take(&mut parts.ports);
    let mut used = vec![0; ports.len()];
    for &(one, two) in pairs {
        let (Some(a), Some(b)) = (ports.get(one as usize), ports.get(two as usize)) else {
            return Err(Problem::new("settings", one.max(two), "entries of the fabric's ports"));
        };
        used[one as usize] += 1;
        used[two as usize] += 1;
        let id = |e: u32| &fabric.elements()[e as usize].id;
        let is_full = used[one as usize] > a.degree || used[two as usize] > b.degree;
        let fits = a.group == b.group
            && a.element != b.element
            && allows(&a.partners, b.element)
            && allows(&b.partners, a.element)
            && fabric.is_up(a.element)
            && fabric.is_up(b.element);
        if is_full || !fits {
            let value = format!("{} to {}", id(a.element), id(b.element));
            let expected = "at most as many links as ports, between partners that are up";
            return Err(Problem::new("connections", value, expected));
        }
        parts.links.push(Link {
            a: a.element,
            b: b.element,
            bandwidth: a.bandwidth.min(b.bandwidth),
            latency: a.latency.max(b.latency),
            energy: a.energy.max(b.energy),
            state: State::Up,
            group: a.group.clone(),
        });
    }
    parts.shape = shape;
    Fabric::new(parts)
}
