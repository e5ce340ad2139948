//! Which of the free slots of a busy cluster a job should get.
//!
//! A mapping alone takes whatever is best for this job; in a busy cluster that cuts the free room
//! into pieces that serve nobody after it. So several compact sets of free slots are tried, the
//! job is mapped onto each, and among those that are nearly as good as the best the one that
//! leaves the least behind at its edges is taken: best fit, for any fabric.

use std::cmp::Reverse;

use super::{Effort, Found, Mapper, Mapping, Objective, Routes, Value, pack, seeds};
use crate::distance::{Distances, UNREACHABLE};
use crate::fabric::{Fabric, Level};
use crate::problem::Problem;
use crate::traffic::Traffic;

/// Starts of compact sets, spread over the free slots.
const STARTS: usize = 48;

/// Compact sets that the job is mapped onto.
const TRIED: usize = 6;

/// How an allocation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// By how much an allocation may be worse than the best one found, in thousandths of its
    /// bottleneck time or hop-bytes, to leave less behind.
    pub tolerance: u32,
    /// What is minimised.
    pub by: By,
    /// How much to search, all tried sets together.
    pub effort: Effort,
}

/// The objective of an allocation; its routes are made here, for each set tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// As [`Objective::HopBytes`], by hops.
    HopBytes,
    /// As [`Objective::BottleneckTime`], by shortest routes.
    BottleneckTime,
}

/// An answer to [`allocate`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// The mapping; `slot_of` counts in the list of free elements.
    pub mapping: Mapping,
    /// Pairs of a slot taken and a slot left free that are as near as two slots can be there: what
    /// is cut through.
    pub edges: u64,
}

/// Chooses a set of `free` slots, elements of the fabric one entry for each rank they have room
/// for, and an order for the job, all searches on this thread: [`Allocator`]. O(starts · ranks ·
/// slots), and the effort.
///
/// # Errors
/// If there are fewer free slots than ranks, one of them is down or is listed more often than its
/// capacity, or what [`Mapper::new`] refuses.
pub fn allocate(
    fabric: &Fabric,
    free: &[u32],
    traffic: &Traffic,
    asked: Asked,
) -> Result<Allocation, Problem> {
    check(fabric, free, traffic.ranks())?;
    let distances = Distances::hops(fabric, free)?;
    let routes = match asked.by {
        By::HopBytes => None,
        By::BottleneckTime => Some(Routes::shortest(fabric, free)?),
    };
    let objective = routes.as_ref().map_or(Objective::HopBytes, Objective::BottleneckTime);
    let mapper = Mapper::new(traffic, &distances, None, objective, asked.effort)?;
    let allocator = Allocator::new(fabric, mapper, asked.tolerance);
    let found = (0..allocator.searches()).map(|search| allocator.search(search)).collect();
    Ok(allocator.finish(found))
}

/// An allocation to be searched: compact sets of the mapper's slots, on each of which the job is
/// mapped. As with [`Mapper`], the caller may run the searches on as many threads as it likes.
#[derive(Clone, Debug)]
pub struct Allocator<'a> {
    mapper: Mapper<'a>,
    tolerance: u32,
    sets: Vec<Vec<u32>>,
}

impl<'a> Allocator<'a> {
    /// Finds the sets of the mapper's slots, elements of `fabric`; each gets an equal part of the
    /// mapper's effort. An allocation may be worse than the best one found by `tolerance`
    /// thousandths, to leave less behind.
    #[must_use]
    pub fn new(fabric: &Fabric, mapper: Mapper<'a>, tolerance: u32) -> Self {
        let sets = sets(fabric, mapper.distances, mapper.traffic);
        let evaluations = mapper.effort.evaluations / sets.len().max(1) as u64;
        let effort = Effort { evaluations, ..mapper.effort };
        Self { mapper: Mapper { effort, ..mapper }, tolerance, sets }
    }

    /// How many searches there are to run: the lanes of each set.
    #[must_use]
    pub fn searches(&self) -> u32 {
        self.sets.len() as u32 * self.mapper.lanes()
    }

    /// Runs one search: maps onto the slots of one set, starting from them in order. The result
    /// depends on the input and the search's number alone.
    #[must_use]
    pub fn search(&self, search: u32) -> Found {
        let set = &self.sets[(search / self.mapper.lanes()) as usize];
        let lane = search % self.mapper.lanes();
        if set.len() == self.mapper.distances.len() {
            return self.mapper.lane(lane);
        }
        self.mapper.on(set).lane(lane)
    }

    /// The allocation, from what the searches found in the order of their numbers.
    /// `Mapping::given` is the cost of the order given, which is that of the first free slots
    /// unless the mapper was told another, and the answer is never worse than that.
    ///
    /// # Panics
    /// If there is not one result for each search.
    #[must_use]
    pub fn finish(&self, found: Vec<Found>) -> Allocation {
        assert_eq!(found.len(), self.searches() as usize, "every search was run");
        let evaluations = found.iter().map(|found| found.evaluations).sum();
        let lanes = self.mapper.lanes() as usize;
        let tried: Vec<(u64, Mapping)> = found
            .chunks(lanes)
            .map(|found| {
                let mapping = self.mapper.finish(found.iter().cloned());
                (edges(self.mapper.distances, &mapping.slot_of), mapping)
            })
            .collect();
        let best = tried.iter().map(|(_, mapping)| mapping.value).min().expect("a set was tried");
        let given = tried[0].1.given;
        let (edges, mapping) = tried
            .into_iter()
            .filter(|(_, m)| m.value <= given && is_near(m.value, best, self.tolerance))
            .min_by(|a, b| (a.0, a.1.value).cmp(&(b.0, b.1.value)))
            .expect("the best is near itself");
        Allocation { edges, mapping: Mapping { evaluations, ..mapping } }
    }
}

fn check(fabric: &Fabric, free: &[u32], ranks: usize) -> Result<(), Problem> {
    if free.len() < ranks {
        let expected = format!("at least {ranks}, one for each rank");
        return Err(Problem::new("free", free.len(), &expected));
    }
    let mut listed = vec![0u32; fabric.elements().len()];
    for &slot in free {
        let Some(element) = fabric.elements().get(slot as usize) else {
            return Err(Problem::new("free", slot, "elements that exist"));
        };
        if !fabric.is_up(slot) {
            return Err(Problem::new("free", &element.id, "elements that are up"));
        }
        listed[slot as usize] += 1;
        if listed[slot as usize] > element.capacity {
            let expected = format!("an element at most {} times, its capacity", element.capacity);
            return Err(Problem::new("free", &element.id, &expected));
        }
    }
    Ok(())
}

/// All slots; those of the largest domains of each level; those of domains that the ranks' own
/// order is cut for; and compact sets of as many as there are ranks, the most compact first.
fn sets(fabric: &Fabric, distances: &Distances, traffic: &Traffic) -> Vec<Vec<u32>> {
    let (count, ranks) = (distances.len(), traffic.ranks());
    let all: Vec<u32> = (0..count as u32).collect();
    if ranks == count || ranks == 0 {
        return vec![all];
    }
    let table = super::finite(distances.table());
    let measure = super::Instance::new(0, &[], count, table);
    let starts = count.min(STARTS);
    let mut found: Vec<(u64, u64, Vec<u32>)> = (0..starts)
        .map(|start| {
            let set = seeds::grow(&measure, ranks, (start * count / starts) as u32);
            (spread(distances, &set), edges(distances, &set), set)
        })
        .collect();
    found.sort();
    found.dedup();
    let compact = found.iter().take(TRIED / 2).map(|entry| entry.2.clone());
    let mut sets = vec![all];
    for level in fabric.levels() {
        sets.extend(pack::pack(&rooms(level, distances), traffic));
        sets.push(largest_first(level, distances, ranks));
    }
    sets.extend(compact);
    found.sort_by_key(|entry| (entry.1, entry.0));
    sets.extend(found.into_iter().take(TRIED / 2).map(|entry| entry.2));
    let mut seen: Vec<Vec<u32>> = Vec::new();
    for set in sets {
        if !seen.contains(&set) {
            seen.push(set);
        }
    }
    seen
}

/// The slots of each domain.
fn rooms(level: &Level, distances: &Distances) -> Vec<Vec<u32>> {
    let mut rooms = vec![Vec::new(); level.domains.len()];
    for (slot, &element) in (0..).zip(distances.slots()) {
        if let Some(domain) = level.of[element as usize] {
            rooms[domain as usize].push(slot);
        }
    }
    rooms
}

/// Slots of the domains with the most free slots first, as people fill racks.
fn largest_first(level: &Level, distances: &Distances, ranks: usize) -> Vec<u32> {
    let domain = |slot: u32| level.of[distances.slots()[slot as usize] as usize];
    let mut sizes = vec![0_u32; level.domains.len()];
    for domain in (0..distances.len() as u32).filter_map(domain) {
        sizes[domain as usize] += 1;
    }
    let mut set: Vec<u32> = (0..distances.len() as u32).collect();
    set.sort_by_key(|&slot| {
        let of = domain(slot);
        (Reverse(of.map_or(0, |of| sizes[of as usize])), of.is_none(), of)
    });
    set.truncate(ranks);
    set
}

/// Sum of distances within a set.
fn spread(distances: &Distances, set: &[u32]) -> u64 {
    let pairs = set.iter().enumerate().flat_map(|(i, &a)| set[..i].iter().map(move |&b| (a, b)));
    pairs.map(|(a, b)| u64::from(distances.between(a as usize, b as usize))).sum()
}

/// Pairs of a slot of the set and one outside it at the least distance that the former has.
fn edges(distances: &Distances, set: &[u32]) -> u64 {
    let mut taken = vec![false; distances.len()];
    for &slot in set {
        taken[slot as usize] = true;
    }
    let near = |a: u32| {
        let others = (0..distances.len()).filter(move |&b| b != a as usize);
        let least =
            others.clone().map(|b| distances.between(a as usize, b)).min().unwrap_or(UNREACHABLE);
        others.filter(|&b| !taken[b] && distances.between(a as usize, b) == least).count() as u64
    };
    set.iter().map(|&a| near(a)).sum()
}

/// Whether a value is within so many thousandths of the best.
fn is_near(value: Value, best: Value, tolerance: u32) -> bool {
    let near = |a: u128, b: u128| a * 1000 <= b * (1000 + u128::from(tolerance));
    value.stranded_bytes == best.stranded_bytes
        && near(value.bottleneck_time, best.bottleneck_time)
        && near(value.hop_bytes, best.hop_bytes)
}
