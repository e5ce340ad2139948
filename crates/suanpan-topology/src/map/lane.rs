//! One lane of the hop-bytes search: seeds, then rounds of search until the budget is used.

use super::anneal::{Heat, anneal};
use super::graph::Graph;
use super::instance::{Instance, State};
use super::random::Random;
use super::tabu::{self, tabu};
use super::{dual, fold, product, seeds};

/// Starts by recursive bisection that are kept for the rounds.
const STARTS: u64 = 16;

/// Walks that are worth polishing.
const WALKS: usize = 2;

/// What a lane has at hand.
pub(crate) struct Lane<'a> {
    instance: &'a Instance,
    graph: Graph,
    /// Distances that seeds are made by, where they are not the instance's own.
    unwrapped: Option<&'a Instance>,
    random: Random,
    left: u64,
    used: u64,
    best: State,
}

/// Searches from `given` for about `evaluations`; returns the best placement met, which is never
/// worse than `given`, and the evaluations used.
pub(crate) fn search(
    instance: &Instance,
    unwrapped: Option<&Instance>,
    given: &[u32],
    evaluations: u64,
    random: Random,
) -> (State, u64) {
    let best = State::new(instance, given.to_vec());
    let graph = instance.graph();
    let left = evaluations;
    let mut lane = Lane { instance, graph, unwrapped, random, left, used: 0, best };
    if instance.is_tiny() {
        return (lane.best, 0);
    }
    lane.seeds(evaluations);
    lane.rounds();
    (lane.best, lane.used)
}

impl Lane<'_> {
    fn take(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.left);
        self.left -= taken;
        self.used += taken;
        taken
    }

    fn keep(&mut self, state: &State) {
        if state.value < self.best.value {
            self.best.clone_from(state);
        }
    }

    /// Polishes the order given, walks and bisections; together at most half of the budget.
    fn seeds(&mut self, budget: u64) {
        let polish = (budget / 32).min(400 * self.instance.slots as u64);
        let mut state = self.best.clone();
        self.polish(&mut state, Heat::Warm(0.01), polish);
        self.folded(polish);
        let measure = self.unwrapped.unwrap_or(self.instance);
        let mut walks: Vec<State> = seeds::walks(measure, &mut self.random)
            .into_iter()
            .map(|slot_of| State::new(self.instance, slot_of))
            .collect();
        walks.sort_by_key(|state| state.value);
        for mut state in walks.into_iter().take(WALKS) {
            // A walk that is far behind is not worth more than a look.
            if state.value < self.best.value + self.best.value / 2 {
                self.polish(&mut state, Heat::Warm(0.01), polish / 2);
            }
        }
        for start in 0..STARTS {
            if self.used >= budget * 2 / 5 {
                break;
            }
            let mut state = self.bisected(start % 2 == 1);
            // Cool, since a bisection has the large structure right: more heat than this moves
            // what is joined by little, and loses it.
            self.polish(&mut state, Heat::Warm(0.002), polish);
        }
    }

    /// The best fold of a product of paths, rings and the like onto a whole grid.
    fn folded(&mut self, polish: u64) {
        let factors = product::factors(&self.graph);
        let Some((slot_of, cost)) = fold::fold(self.instance, &factors) else { return };
        self.take(cost);
        let mut state = State::new(self.instance, slot_of);
        self.keep(&state);
        self.polish(&mut state, Heat::Warm(0.002), polish);
    }

    fn polish(&mut self, state: &mut State, heat: Heat, steps: u64) {
        let steps = self.take(steps);
        anneal(self.instance, state, heat, steps, &mut self.random);
        self.keep(state);
    }

    /// A fresh start by dual recursive bisection; it costs about what so many evaluations do.
    fn bisected(&mut self, own: bool) -> State {
        let slots = self.instance.slots as u64;
        let runs = match slots {
            0..=128 => 1,
            129..=1024 => 4,
            _ => 8,
        };
        let cost = runs as u64 * (10 * self.graph.peer.len() as u64 + 150 * slots);
        self.take(cost);
        let measure = if own { self.instance } else { self.unwrapped.unwrap_or(self.instance) };
        let slots = seeds::compact(measure, self.instance.ranks, &mut self.random);
        let slot_of = dual::bisection(measure, &self.graph, &slots, runs, &mut self.random);
        State::new(self.instance, slot_of)
    }

    /// Rounds of growing length, from hot and from warm, from the best and from new starts.
    fn rounds(&mut self) {
        let mut length = (1_000 * self.instance.slots as u64).max(self.left / 16);
        let mut round = 0u32;
        while self.left > 0 {
            // A last round that would be short joins this one.
            let steps = if self.left < length * 2 { self.left } else { length };
            let mut state = self.best.clone();
            let matrix = self.instance.slots <= tabu::LARGEST;
            match round % 6 {
                0 | 3 if matrix => {
                    let steps = self.take(steps);
                    tabu(self.instance, &mut state, steps, &mut self.random);
                    self.keep(&state);
                }
                0 => {
                    let few = steps < 2_000 * self.instance.slots as u64;
                    let heat = if few { 0.003 } else { 0.05 };
                    self.polish(&mut state, Heat::Warm(heat), steps);
                }
                1 => self.polish(&mut state, Heat::Melt, steps),
                2 | 5 => {
                    let mut state = self.bisected(round % 6 == 5);
                    let heat = if round % 6 == 5 { 0.06 } else { 0.015 };
                    self.polish(&mut state, Heat::Warm(heat), steps);
                }
                3 => self.polish(&mut state, Heat::Warm(0.15), steps),
                _ => self.polish(&mut state, Heat::Warm(0.025), steps),
            }
            round += 1;
            if round.is_multiple_of(6) {
                length *= 2;
            }
        }
    }
}
