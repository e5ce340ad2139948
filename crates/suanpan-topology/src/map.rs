//! Mapping: which elements a job's ranks go to, and in which order.
//!
//! [`map`] takes traffic, distances between slots and an [`Effort`], and answers with a
//! [`Mapping`]: a slot for each rank, what it costs, what the order given costs, and a verdict.
//! Two things always hold: the answer is never worse than the order given, and no slot holds two
//! ranks, so that an element holds at most its capacity and one that is down holds nothing
//! ([`crate::fabric::Fabric::slots`] lists only what is up).
//!
//! The search is cut into *lanes*: independent, each with its own random numbers and its share of
//! the budget, which is counted in evaluations. The caller may run [`Mapper::lane`] on as many
//! threads as it likes; [`Mapper::finish`] takes the best by value and then by number, so the same
//! seed, lanes and budget give the same bytes whatever the threads.

mod allocate;
mod anneal;
mod bisect;
mod bottleneck;
mod dual;
mod fold;
mod graph;
mod instance;
mod lane;
mod pack;
mod product;
mod random;
mod regions;
mod seeds;
mod tabu;
mod tasks;
#[cfg(test)]
mod tests;

use crate::distance::{Distances, UNREACHABLE};
use crate::problem::Problem;
pub use crate::routes::{Direction, Routes};
use crate::traffic::{Flow, Traffic};
pub use allocate::{Allocation, Allocator, Asked, By, allocate};
use bottleneck::Flows;
use instance::{Instance, State};
use random::Random;
pub use tasks::map_tasks;

/// How much to search. The same effort gives the same answer everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Moves priced, all lanes together. A core prices about ten million a second on sparse
    /// traffic of a few hundred ranks.
    pub evaluations: u64,
    /// Independent searches that share the evaluations.
    pub lanes: u32,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Effort {
    /// One lane and as many evaluations as take about 0.07 s of one core for up to 512 ranks,
    /// and twice in proportion to the ranks beyond. A move costs what its two ranks have peers.
    #[must_use]
    pub fn fast(traffic: &Traffic) -> Self {
        let ranks = traffic.ranks() as u64;
        let degree = traffic.both_ways().entries() as u64 / ranks.max(1);
        let nanoseconds = 60 + ranks.min(512) / 16 + degree * 6 / 5;
        let evaluations = 70_000_000 * (ranks.max(512) * 2 - 512) / 512 / nanoseconds;
        Self { evaluations, lanes: 1, seed: 1 }
    }
}

/// What is minimised.
#[derive(Clone, Copy, Debug)]
pub enum Objective<'a> {
    /// Sum over pairs of ranks of bytes × distance.
    HopBytes,
    /// The time that the busiest link needs if everything is sent over these routes, and hop-bytes
    /// where that is equal.
    BottleneckTime(&'a Routes),
}

/// What a placement costs, the most important first: less is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// Bytes between ranks on slots without a path between them.
    pub stranded_bytes: u128,
    /// Picoseconds that the busiest link needs, rounded up; 0 if that is not the objective.
    pub bottleneck_time: u128,
    /// Sum over pairs of ranks of bytes × distance.
    pub hop_bytes: u128,
}

/// What the search says about the order given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing better was found: keep your order. The mapping is the order given.
    KeepOrder,
    /// The mapping is better.
    Reorder,
}

/// Where the ranks go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// For each rank its slot.
    pub slot_of: Vec<u32>,
    /// For each rank the element of its slot, a position in the fabric's elements.
    pub element_of: Vec<u32>,
    /// What this placement costs.
    pub value: Value,
    /// What the order given costs.
    pub given: Value,
    /// The busiest direction of a link; none if that is not the objective or nothing is sent.
    pub bottleneck: Option<Direction>,
    /// Whether it is worth changing the order.
    pub verdict: Verdict,
    /// Moves priced by the lanes together.
    pub evaluations: u64,
}

/// What one lane found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    lane: u32,
    slot_of: Vec<u32>,
    evaluations: u64,
}

/// A mapping to be searched: checked input, ready for its lanes.
#[derive(Clone, Debug)]
pub struct Mapper<'a> {
    traffic: &'a Traffic,
    distances: &'a Distances,
    given: Vec<u32>,
    effort: Effort,
    by_links: Option<(&'a Routes, Flows)>,
    instance: Instance,
    unwrapped: Option<Instance>,
}

/// Finds a placement, all lanes on this thread. See [`Mapper::new`] for the arguments.
///
/// # Errors
/// Those of [`Mapper::new`].
pub fn map(
    traffic: &Traffic,
    distances: &Distances,
    given: Option<&[u32]>,
    objective: Objective<'_>,
    effort: Effort,
) -> Result<Mapping, Problem> {
    let mapper = Mapper::new(traffic, distances, given, objective, effort)?;
    let found: Vec<Found> = (0..mapper.lanes()).map(|lane| mapper.lane(lane)).collect();
    Ok(mapper.finish(found))
}

impl<'a> Mapper<'a> {
    /// Checks the input. `given` is the order given: for each rank its slot; rank r on slot r if
    /// there is none. O(slots² + pairs log pairs).
    ///
    /// # Errors
    /// If there are more ranks than slots, `given` is not a different slot for each rank, or the
    /// objective's routes are between other slots.
    pub fn new(
        traffic: &'a Traffic,
        distances: &'a Distances,
        given: Option<&[u32]>,
        objective: Objective<'a>,
        effort: Effort,
    ) -> Result<Self, Problem> {
        let (ranks, slots) = (traffic.ranks(), distances.len());
        if ranks > slots {
            let expected = format!("at most {slots} ranks, one for each slot; group them first");
            return Err(Problem::new("ranks", ranks, &expected));
        }
        let given = match given {
            Some(given) => checked(given, ranks, slots)?,
            None => (0..ranks as u32).collect(),
        };
        let by_links = match objective {
            Objective::HopBytes => None,
            Objective::BottleneckTime(routes) if routes.slots() == distances.slots() => {
                Some((routes, Flows::new(traffic)))
            }
            Objective::BottleneckTime(routes) => {
                let expected = "routes between the slots that the distances are between";
                return Err(Problem::new("routes", routes.slots().len(), expected));
            }
        };
        let table = finite(distances.table());
        let unwrapped = distances.unwrapped().map(|open| {
            let axes = open.axes();
            Instance { axes, ..Instance::new(ranks, &[], slots, open.table()) }
        });
        let instance = Instance::new(ranks, &scaled_pairs(traffic, &table), slots, table);
        let instance = Instance { axes: distances.axes(), ..instance };
        Ok(Self { traffic, distances, given, effort, by_links, instance, unwrapped })
    }

    /// The same job on some of the slots only, as many as ranks: the others look too far away to
    /// be taken.
    fn on(&self, set: &[u32]) -> Self {
        let slots = self.distances.len();
        let mut table = finite(self.distances.table());
        let never = table.iter().copied().max().unwrap_or(0).saturating_add(1).saturating_mul(64);
        let mut inside = vec![false; slots];
        for &slot in set {
            inside[slot as usize] = true;
        }
        for (at, cell) in table.iter_mut().enumerate() {
            if at / slots != at % slots && !(inside[at / slots] && inside[at % slots]) {
                *cell = never;
            }
        }
        let pairs = scaled_pairs(self.traffic, &table);
        let instance = Instance::new(self.traffic.ranks(), &pairs, slots, table);
        let instance = Instance { axes: self.instance.axes.clone(), ..instance };
        Self { given: set.to_vec(), instance, unwrapped: None, ..self.clone() }
    }

    /// How many lanes there are to run.
    #[must_use]
    pub fn lanes(&self) -> u32 {
        self.effort.lanes.max(1)
    }

    /// Runs one lane. The result depends on the input and the lane's number alone.
    #[must_use]
    pub fn lane(&self, lane: u32) -> Found {
        let random = Random::new(self.effort.seed, u64::from(lane));
        let share = self.effort.evaluations / u64::from(self.lanes());
        let Some((routes, flows)) = &self.by_links else {
            let (state, evaluations) = self.by_distance(share, random);
            return Found { lane, slot_of: state.slot_of, evaluations };
        };
        // Few hop-bytes are a good start for a short bottleneck, and so is the order given.
        let (near, evaluations) = self.by_distance(share / 3, random.clone());
        let mut links = random.branch();
        let steps = (share - share / 3) / 2 / bottleneck::EVALUATIONS;
        let given = State::new(&self.instance, self.given.clone());
        let mut best = (self.value(&given.slot_of), given.slot_of.clone());
        for start in [given, near] {
            let mut state = start.clone();
            bottleneck::search(&self.instance, flows, routes, &mut state, steps, &mut links);
            for slot_of in [start.slot_of, state.slot_of] {
                let value = self.value(&slot_of);
                if value < best.0 {
                    best = (value, slot_of);
                }
            }
        }
        let evaluations = evaluations + 2 * steps * bottleneck::EVALUATIONS;
        Found { lane, slot_of: best.1, evaluations }
    }

    fn by_distance(&self, evaluations: u64, random: Random) -> (State, u64) {
        lane::search(&self.instance, self.unwrapped.as_ref(), &self.given, evaluations, random)
    }

    /// The exact cost of a placement, by the traffic and distances given. O(pairs).
    #[must_use]
    pub fn value(&self, slot_of: &[u32]) -> Value {
        cost(self.traffic, self.distances, self.by_links.as_ref(), slot_of)
    }

    fn busiest(&self, slot_of: &[u32]) -> Option<(Direction, u128)> {
        let (routes, flows) = self.by_links.as_ref()?;
        bottleneck::busiest(flows, routes, slot_of)
    }

    /// The best of what the lanes found and the order given, in any order of lanes.
    #[must_use]
    pub fn finish(&self, found: impl IntoIterator<Item = Found>) -> Mapping {
        let given = self.value(&self.given);
        let mut best = (given, None, self.given.clone());
        let mut evaluations = 0;
        for found in found {
            evaluations += found.evaluations;
            let value = self.value(&found.slot_of);
            if (value, Some(found.lane)) < (best.0, best.1) && value < given {
                best = (value, Some(found.lane), found.slot_of);
            }
        }
        let (value, lane, slot_of) = best;
        let elements = self.distances.slots();
        Mapping {
            element_of: slot_of.iter().map(|&slot| elements[slot as usize]).collect(),
            bottleneck: self.busiest(&slot_of).map(|(direction, _)| direction),
            slot_of,
            value,
            given,
            verdict: if lane.is_some() { Verdict::Reorder } else { Verdict::KeepOrder },
            evaluations,
        }
    }
}

/// The exact cost of a placement. O(pairs), times the diameter for links.
fn cost(
    traffic: &Traffic,
    distances: &Distances,
    by_links: Option<&(&Routes, Flows)>,
    slot_of: &[u32],
) -> Value {
    let mut value = Value::default();
    for rank in 0..traffic.ranks() {
        for (peer, bytes) in traffic.peers(rank) {
            let (a, b) = (slot_of[rank] as usize, slot_of[peer as usize] as usize);
            match distances.between(a, b) {
                UNREACHABLE => value.stranded_bytes += u128::from(bytes),
                apart => value.hop_bytes += u128::from(bytes) * u128::from(apart),
            }
        }
    }
    if traffic.flow() == Flow::BothWays {
        value.stranded_bytes /= 2;
        value.hop_bytes /= 2;
    }
    if let Some((routes, flows)) = by_links {
        value.bottleneck_time =
            bottleneck::busiest(flows, routes, slot_of).map_or(0, |(_, time)| time);
    }
    value
}

/// A different slot for each rank, or what is wrong.
fn checked(given: &[u32], ranks: usize, slots: usize) -> Result<Vec<u32>, Problem> {
    if given.len() != ranks {
        let expected = format!("{ranks} slots, one for each rank");
        return Err(Problem::new("order", given.len(), &expected));
    }
    let mut taken = vec![false; slots];
    for &slot in given {
        match taken.get_mut(slot as usize) {
            None => {
                let expected = format!("slots below {slots}");
                return Err(Problem::new("order", slot, &expected));
            }
            Some(true) => return Err(Problem::new("order", slot, "each slot at most once")),
            Some(free) => *free = true,
        }
    }
    Ok(given.to_vec())
}

/// Distances with a finite, very long way in place of none: long enough that a search leaves it.
fn finite(mut table: Vec<u32>) -> Vec<u32> {
    let longest = table.iter().copied().filter(|&d| d != UNREACHABLE).max().unwrap_or(0);
    let never = longest.saturating_add(1).saturating_mul(64);
    for cell in &mut table {
        if *cell == UNREACHABLE {
            *cell = never;
        }
    }
    table
}

/// Pairs of ranks with the bytes both ways as the search counts them: halved until no sum can
/// overflow. Only enormous traffic is rounded, and the result is judged by the exact numbers.
fn scaled_pairs(traffic: &Traffic, table: &[u32]) -> Vec<(u32, u32, i64)> {
    let both = traffic.both_ways();
    let longest = u128::from(table.iter().copied().max().unwrap_or(1).max(1));
    let mut shift = 0;
    while (both.total().saturating_mul(longest) >> shift) > (1 << 58) {
        shift += 1;
    }
    let mut pairs = Vec::with_capacity(both.entries() / 2);
    for rank in 0..both.ranks() {
        for (peer, bytes) in both.peers(rank) {
            if peer > rank as u32 {
                pairs.push((rank as u32, peer, (bytes >> shift).max(1) as i64));
            }
        }
    }
    pairs
}
