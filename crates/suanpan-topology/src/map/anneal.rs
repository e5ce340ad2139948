//! Simulated annealing over swaps and moves to free slots, priced in O(degree).

use super::instance::{Instance, State};
use super::random::Random;

/// −ln(u) for evenly spaced u: accepting with probability exp(−δ/T) is δ ≤ T·(−ln u), and a table
/// spares the logarithm.
pub(crate) struct Thresholds([f64; 1024]);

impl Thresholds {
    pub fn new() -> Self {
        Self(std::array::from_fn(|i| -((i as f64 + 0.5) / 1024.0).ln()))
    }

    pub fn draw(&self, random: &mut Random) -> f64 {
        self.0[(random.bits() >> 54) as usize]
    }
}

/// How hot a run starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Heat {
    /// Hot enough to forget the start.
    Melt,
    /// A given share of that: keeps the large structure of the start and repairs the small.
    Warm(f64),
}

/// Cold is this much below hot.
const COOLING: f64 = 1.0 / 400.0;

/// Anneals `state` for `steps` evaluations and leaves the best placement met in it.
pub(crate) fn anneal(
    instance: &Instance,
    state: &mut State,
    heat: Heat,
    steps: u64,
    random: &mut Random,
) {
    if instance.is_tiny() || steps < 16 {
        return;
    }
    let thresholds = Thresholds::new();
    let hot =
        uphill(instance, state, random) * if let Heat::Warm(share) = heat { share } else { 0.3 };
    let cold = hot * if let Heat::Warm(_) = heat { 0.02 } else { COOLING };
    let rounds = 200u64.min(steps / 16);
    let factor = (cold / hot).powf(1.0 / rounds as f64);
    let mut temperature = hot;
    let mut best = state.clone();
    let mut ahead = false;
    for round in 0..rounds {
        let share = steps * (round + 1) / rounds - steps * round / rounds;
        for _ in 0..share {
            let (rank, slot) = propose(instance, state, random);
            let delta = state.delta(instance, rank, slot);
            if delta <= 0 || (delta as f64) <= temperature * thresholds.draw(random) {
                if ahead && delta > 0 {
                    best.clone_from(state);
                    ahead = false;
                }
                state.apply(rank, slot, delta);
                ahead |= state.value < best.value;
            }
        }
        temperature *= factor;
    }
    if !ahead {
        state.clone_from(&best);
    }
}

/// A rank and a slot that is not its own: half the time near one of its peers, since at low
/// temperature few other moves are ever accepted.
pub(crate) fn propose(instance: &Instance, state: &State, random: &mut Random) -> (u32, u32) {
    loop {
        let rank = random.below(instance.ranks);
        let (first, end) = (instance.start[rank] as usize, instance.start[rank + 1] as usize);
        let slot = if end > first && random.bits() & 1 == 0 {
            let peer = instance.peer[first + random.below(end - first)];
            instance.near(state.slot_of[peer as usize], random)
        } else {
            random.below(instance.slots) as u32
        };
        if state.slot_of[rank] != slot {
            return (rank as u32, slot);
        }
    }
}

/// The mean of the uphill differences of random moves.
fn uphill(instance: &Instance, state: &State, random: &mut Random) -> f64 {
    let (mut sum, mut count) = (0.0f64, 0.0f64);
    for _ in 0..200 {
        let rank = random.below(instance.ranks) as u32;
        let slot = random.below(instance.slots) as u32;
        if state.slot_of[rank as usize] != slot {
            let delta = state.delta(instance, rank, slot);
            if delta != 0 {
                sum += delta.abs() as f64;
                count += 1.0;
            }
        }
    }
    if count > 0.0 { sum / count } else { 1.0 }
}
