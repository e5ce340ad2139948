//! The time of the busiest link: its exact value, and a search that lowers it.

use super::anneal::{Thresholds, propose};
use super::instance::{FREE, Instance, State};
use super::random::Random;
use crate::routes::{Direction, Routes};
use crate::traffic::{Flow, Traffic};

/// One move priced by links costs about as much as so many priced by distances.
pub(crate) const EVALUATIONS: u64 = 40;

/// What each rank sends. Traffic both ways splits evenly, so its unit is half a byte.
#[derive(Clone, Debug)]
pub(crate) struct Flows {
    start: Vec<u32>,
    /// Peer, units sent to it, units received from it.
    peers: Vec<(u32, u64, u64)>,
    /// Half bytes in a unit.
    unit: u64,
    /// By how many bits the search shortens units, so that no sum overflows.
    shift: u32,
}

impl Flows {
    pub fn new(traffic: &Traffic) -> Self {
        let both = traffic.both_ways();
        let unit = if traffic.flow() == Flow::BothWays { 1 } else { 2 };
        let peers = Vec::with_capacity(both.entries());
        let mut flows = Self { start: vec![0], peers, unit, shift: 0 };
        for rank in 0..both.ranks() {
            for (peer, bytes) in both.peers(rank) {
                let (out, back) = match traffic.flow() {
                    Flow::BothWays => (bytes, bytes),
                    Flow::Directed => {
                        let peer = peer as usize;
                        (traffic.between(rank, peer), traffic.between(peer, rank))
                    }
                };
                flows.peers.push((peer, out, back));
            }
            flows.start.push(flows.peers.len() as u32);
        }
        let total: u128 = flows.peers.iter().map(|&(_, out, _)| u128::from(out)).sum();
        while total >> flows.shift > 1 << 62 {
            flows.shift += 1;
        }
        flows
    }

    fn of(&self, rank: u32) -> &[(u32, u64, u64)] {
        &self.peers[self.start[rank as usize] as usize..self.start[rank as usize + 1] as usize]
    }

    fn ranks(&self) -> u32 {
        self.start.len() as u32 - 1
    }
}

/// Units over each direction.
fn loads(flows: &Flows, routes: &Routes, slot_of: &[u32]) -> Vec<u128> {
    let mut loads = vec![0u128; routes.directions()];
    for rank in 0..flows.ranks() {
        for &(peer, out, _) in flows.of(rank) {
            for direction in routes.path(slot_of[rank as usize], slot_of[peer as usize]) {
                loads[direction as usize] += u128::from(out);
            }
        }
    }
    loads
}

/// The same as the search counts them: every flow is shortened before it is added, as it is when
/// it is taken away.
fn shortened(flows: &Flows, routes: &Routes, slot_of: &[u32]) -> Vec<u64> {
    let mut loads = vec![0u64; routes.directions()];
    for rank in 0..flows.ranks() {
        for &(peer, out, _) in flows.of(rank) {
            for direction in routes.path(slot_of[rank as usize], slot_of[peer as usize]) {
                loads[direction as usize] += out >> flows.shift;
            }
        }
    }
    loads
}

/// The busiest direction and how long it needs, in picoseconds rounded up; none if nothing is
/// sent. O(pairs · diameter).
pub(crate) fn busiest(
    flows: &Flows,
    routes: &Routes,
    slot_of: &[u32],
) -> Option<(Direction, u128)> {
    loads(flows, routes, slot_of)
        .into_iter()
        .enumerate()
        .filter(|&(_, load)| load > 0)
        .map(|(d, load)| (d as u32, picoseconds(load, flows.unit, routes.rate(d as u32))))
        .max_by_key(|&(d, time)| (time, std::cmp::Reverse(d)))
}

fn picoseconds(load: u128, unit: u64, rate: u64) -> u128 {
    let bit_picoseconds = u128::from(unit) * 4_000_000_000_000;
    load.saturating_mul(bit_picoseconds).div_ceil(u128::from(rate))
}

/// Loads that change with the placement, and the sum of the eighth powers of link times: a sum
/// that sees the busiest links and is cheap to follow.
struct Loaded<'a> {
    flows: &'a Flows,
    routes: &'a Routes,
    state: State,
    loads: Vec<u64>,
    /// Time per unit, such that the busiest link of the start needs 1.
    unit: Vec<f64>,
    powers: f64,
    /// Hop-bytes count a little, so that equal bottlenecks are told apart.
    per_hop_byte: f64,
}

/// The share of hop-bytes in what is minimised, where the start's bottleneck is 1.
const SHARE: f64 = 0.05;

impl<'a> Loaded<'a> {
    fn new(flows: &'a Flows, routes: &'a Routes, state: State) -> Self {
        let loads = shortened(flows, routes, &state.slot_of);
        let time = |(d, &load): (usize, &u64)| load as f64 / routes.rate(d as u32) as f64;
        let most = loads.iter().enumerate().map(time).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let unit = (0..loads.len()).map(|d| 1.0 / (routes.rate(d as u32) as f64 * most)).collect();
        let per_hop_byte = SHARE / state.value.max(1) as f64;
        let mut loaded = Self { flows, routes, state, loads, unit, powers: 0.0, per_hop_byte };
        loaded.settle();
        loaded
    }

    /// Sums the powers afresh, which ends the drift of adding and taking away.
    fn settle(&mut self) {
        self.powers = self.loads.iter().zip(&self.unit).map(|(&l, &u)| power(l as f64 * u)).sum();
    }

    fn cost(&self) -> f64 {
        self.powers.max(0.0).powf(0.125) + self.per_hop_byte * self.state.value as f64
    }

    /// Adds or takes away everything that goes to or from `rank`, except what it exchanges with
    /// `but`.
    fn shift<const ADD: bool>(&mut self, rank: u32, but: u32) {
        let at = self.state.slot_of[rank as usize];
        for &(peer, out, back) in self.flows.of(rank) {
            if peer == but {
                continue;
            }
            let there = self.state.slot_of[peer as usize];
            let (out, back) = (out >> self.flows.shift, back >> self.flows.shift);
            for (from, to, units) in [(at, there, out), (there, at, back)] {
                if units == 0 {
                    continue;
                }
                for direction in self.routes.path(from, to) {
                    let d = direction as usize;
                    let (load, unit) = (self.loads[d], self.unit[d]);
                    let after = if ADD { load + units } else { load - units };
                    self.powers += power(after as f64 * unit) - power(load as f64 * unit);
                    self.loads[d] = after;
                }
            }
        }
    }

    /// Moves `rank` to `slot`, whoever is there to its old place; O(degree · diameter).
    fn swap(&mut self, rank: u32, slot: u32, delta: i64) {
        let other = self.state.rank_at[slot as usize];
        self.shift::<false>(rank, FREE);
        if other != FREE {
            self.shift::<false>(other, rank);
        }
        self.state.apply(rank, slot, delta);
        self.shift::<true>(rank, FREE);
        if other != FREE {
            self.shift::<true>(other, rank);
        }
    }
}

fn power(x: f64) -> f64 {
    let square = x * x;
    let fourth = square * square;
    fourth * fourth
}

/// Searches from `state` with `steps` moves for a shorter bottleneck, then fewer hop-bytes; leaves
/// the placement of the least cost met.
pub(crate) fn search(
    instance: &Instance,
    flows: &Flows,
    routes: &Routes,
    state: &mut State,
    steps: u64,
    random: &mut Random,
) {
    if instance.is_tiny() || steps < 16 {
        return;
    }
    let thresholds = Thresholds::new();
    let mut loaded = Loaded::new(flows, routes, state.clone());
    let mut cost = loaded.cost();
    let mut best = (cost, state.clone());
    let (hot, cold) = (0.02f64, 0.0002f64);
    let rounds = 100u64.min(steps / 16);
    let factor = (cold / hot).powf(1.0 / rounds as f64);
    let mut temperature = hot;
    for round in 0..rounds {
        loaded.settle();
        cost = loaded.cost();
        for _ in 0..steps * (round + 1) / rounds - steps * round / rounds {
            let (rank, slot) = propose(instance, &loaded.state, random);
            let from = loaded.state.slot_of[rank as usize];
            let delta = loaded.state.delta(instance, rank, slot);
            let powers = loaded.powers;
            loaded.swap(rank, slot, delta);
            let after = loaded.cost();
            if after - cost <= temperature * thresholds.draw(random) {
                cost = after;
                if cost < best.0 - 1e-9 {
                    best = (cost, loaded.state.clone());
                }
            } else {
                loaded.swap(rank, from, -delta);
                loaded.powers = powers;
            }
        }
        temperature *= factor;
    }
    *state = best.1;
}
