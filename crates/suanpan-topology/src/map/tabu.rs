//! Iterated robust tabu search on the full matrix of swap differences, for dense traffic of up to
//! a few hundred ranks.
//!
//! The search is Taillard's robust taboo search ("Robust taboo search for the quadratic assignment
//! instance", Parallel Computing 17, 1991) with the restarts of iterated tabu search (Misevicius,
//! "A tabu search algorithm for the quadratic assignment instance", 2005): after a spell without
//! progress some ranks of the best placement change places and the search goes on from there.
//!
//! Every step prices all pairs. With `G[i][j] = Σₖ bytes[i][k] · distance[pⱼ][pₖ]` a swap changes
//! `G` by a product of two vectors, and the difference of swapping `i` and `j` is
//! `G[i][j] + G[j][i] − G[i][i] − G[j][j] + 2 · bytes[i][j] · distance[pᵢ][pⱼ]`: O(slots²) a step,
//! with no indirection in the inner loops.

use super::instance::{FREE, Instance, State};
use super::random::Random;

/// One price refreshed in O(1) costs about this much of a price from scratch.
pub(crate) const PRICES_PER_EVALUATION: u64 = 32;

/// The largest instance whose matrices stay in cache.
pub(crate) const LARGEST: usize = 160;

/// The number type of the matrices: exact for integers up to [`Cell::EXACT`].
trait Cell:
    Copy
    + PartialOrd
    + std::ops::Add<Output = Self>
    + std::ops::Sub<Output = Self>
    + std::ops::Mul<Output = Self>
    + std::ops::AddAssign
{
    const EXACT: i64;
    const MAX: Self;
    fn of(value: i64) -> Self;
    fn whole(self) -> i64;
}

impl Cell for f32 {
    const EXACT: i64 = 1 << 24;
    const MAX: Self = f32::MAX;
    fn of(value: i64) -> Self {
        value as f32
    }
    fn whole(self) -> i64 {
        self as i64
    }
}

impl Cell for f64 {
    const EXACT: i64 = 1 << 53;
    const MAX: Self = f64::MAX;
    fn of(value: i64) -> Self {
        value as f64
    }
    fn whole(self) -> i64 {
        self as i64
    }
}

/// Searches from `state` for `evaluations` and leaves the best placement met in it.
///
/// Does nothing if the instance is too large for it, or its sums for exact arithmetic.
pub(crate) fn tabu(instance: &Instance, state: &mut State, evaluations: u64, random: &mut Random) {
    let size = instance.slots;
    if instance.is_tiny() || size > LARGEST {
        return;
    }
    let bound = largest_sum(instance);
    let pairs = (size * (size - 1) / 2) as u64;
    let steps = evaluations.saturating_mul(PRICES_PER_EVALUATION) / pairs;
    if bound < f32::EXACT {
        Search::<f32>::new(instance, state).run(instance, state, steps, random);
    } else if bound < f64::EXACT {
        Search::<f64>::new(instance, state).run(instance, state, steps, random);
    }
}

/// No entry of the matrices can exceed four times the largest row sum of bytes × the diameter.
fn largest_sum(instance: &Instance) -> i64 {
    let far = i64::from(instance.distance.iter().copied().max().unwrap_or(0));
    let heavy = |r| instance.peers(r).fold(0i64, |sum, (_, bytes)| sum.saturating_add(bytes));
    let heaviest = (0..instance.ranks).map(heavy).max().unwrap_or(0);
    heaviest.saturating_mul(far).saturating_mul(4)
}

/// The matrices, all `size × size` and row-major. A free slot holds a rank without traffic.
struct Search<C> {
    size: usize,
    bytes: Vec<C>,
    /// Distances between the slots of two ranks.
    apart: Vec<C>,
    /// `G` above.
    pull: Vec<C>,
    /// Differences, above the diagonal.
    delta: Vec<C>,
    /// The step until which a rank may not return to a slot.
    tabu: Vec<u64>,
    slot_of: Vec<u32>,
    value: i64,
    step: u64,
    x: Vec<C>,
    y: Vec<C>,
}

impl<C: Cell> Search<C> {
    fn new(instance: &Instance, state: &State) -> Self {
        let size = instance.slots;
        let zero = vec![C::of(0); size * size];
        let mut bytes = zero.clone();
        for r in 0..instance.ranks {
            for (w, b) in instance.peers(r) {
                bytes[r * size + w as usize] = C::of(b);
            }
        }
        let mut search = Self {
            size,
            bytes,
            apart: zero.clone(),
            pull: zero.clone(),
            delta: zero,
            tabu: vec![0; size * size],
            slot_of: padded(instance, state),
            value: state.value,
            step: 1,
            x: vec![C::of(0); size],
            y: vec![C::of(0); size],
        };
        search.rebuild(instance);
        search
    }

    /// All matrices from the placement; O(size³), once a search and once a restart's swap is not
    /// worth following.
    fn rebuild(&mut self, instance: &Instance) {
        let size = self.size;
        for i in 0..size {
            let row = instance.row(self.slot_of[i]);
            for j in 0..size {
                self.apart[i * size + j] = C::of(i64::from(row[self.slot_of[j] as usize]));
            }
        }
        for i in 0..size {
            for j in 0..size {
                let (a, b) = (&self.bytes[i * size..][..size], &self.apart[j * size..][..size]);
                let sum = a.iter().zip(b).fold(C::of(0), |sum, (&a, &b)| sum + a * b);
                self.pull[i * size + j] = sum;
            }
        }
        for i in 0..size {
            for j in i + 1..size {
                self.delta[i * size + j] = self.price(i, j);
            }
        }
    }

    fn price(&self, i: usize, j: usize) -> C {
        let at = |a: usize, b: usize| a * self.size + b;
        let both = self.bytes[at(i, j)] * self.apart[at(i, j)];
        self.pull[at(i, j)] + self.pull[at(j, i)] - self.pull[at(i, i)] - self.pull[at(j, j)]
            + both
            + both
    }

    fn run(&mut self, instance: &Instance, state: &mut State, steps: u64, random: &mut Random) {
        let size = self.size;
        let patience = 20 * size as u64;
        let mut best = (self.value, self.slot_of.clone());
        let (mut since, mut spell) = (self.value, 0);
        let mut strength = 0;
        for _ in 0..steps {
            let Some((i, j)) = self.choose(best.0) else { break };
            let delta = self.delta[i * size + j].whole();
            self.forbid(i, j, random);
            self.swap(i, j);
            self.value += delta;
            spell += 1;
            if self.value < since {
                (since, spell) = (self.value, 0);
            }
            if self.value < best.0 {
                best.0 = self.value;
                best.1.copy_from_slice(&self.slot_of);
                strength = 0;
            }
            if spell > patience {
                strength += 1;
                self.restart(instance, &best.1, strength, random);
                (since, spell) = (self.value, 0);
            }
        }
        if best.0 < state.value {
            best.1.truncate(instance.ranks);
            *state = State::new(instance, best.1);
        }
    }

    /// The best pair that is not forbidden, or would beat everything so far.
    fn choose(&self, best: i64) -> Option<(usize, usize)> {
        let size = self.size;
        let record = C::of(best - self.value);
        let mut chosen = None;
        let mut lowest = C::MAX;
        for i in 0..size - 1 {
            let row = &self.delta[i * size + i + 1..(i + 1) * size];
            if minimum(row) >= lowest {
                continue;
            }
            for (k, &delta) in row.iter().enumerate() {
                let j = i + 1 + k;
                if delta < lowest && (delta < record || self.allowed(i, j)) {
                    lowest = delta;
                    chosen = Some((i, j));
                }
            }
        }
        chosen
    }

    fn allowed(&self, i: usize, j: usize) -> bool {
        self.tabu[i * self.size + self.slot_of[j] as usize] < self.step
            || self.tabu[j * self.size + self.slot_of[i] as usize] < self.step
    }

    /// Taillard's random tenure, 0.9 to 1.1 of the size.
    fn forbid(&mut self, i: usize, j: usize, random: &mut Random) {
        let (low, spread) = (self.size * 9 / 10, self.size / 5 + 2);
        for rank in [i, j] {
            let until = self.step + (low + random.below(spread)) as u64;
            self.tabu[rank * self.size + self.slot_of[rank] as usize] = until;
        }
        self.step += 1;
    }

    /// Swaps ranks `u` and `v` and brings every matrix up to date; O(size²).
    fn swap(&mut self, u: usize, v: usize) {
        let size = self.size;
        for k in 0..size {
            self.x[k] = self.bytes[k * size + u] - self.bytes[k * size + v];
            self.y[k] = self.apart[k * size + v] - self.apart[k * size + u];
        }
        let (x, y) = (&self.x[..size], &self.y[..size]);
        for i in 0..size {
            let (xi, yi) = (x[i], y[i]);
            let nothing = C::of(0);
            if xi != nothing {
                for (pull, &yj) in self.pull[i * size..][..size].iter_mut().zip(y) {
                    *pull += xi * yj;
                }
            }
            let delta = &mut self.delta[i * size + i + 1..(i + 1) * size];
            for ((delta, &xj), &yj) in delta.iter_mut().zip(&x[i + 1..]).zip(&y[i + 1..]) {
                *delta += (xi - xj) * (yj - yi);
            }
        }
        for k in 0..size {
            self.pull.swap(k * size + u, k * size + v);
            self.apart.swap(k * size + u, k * size + v);
        }
        for k in 0..size {
            self.apart.swap(u * size + k, v * size + k);
        }
        self.slot_of.swap(u, v);
        for k in 0..size {
            for end in [u, v] {
                if k != end {
                    let (i, j) = (k.min(end), k.max(end));
                    self.delta[i * size + j] = self.price(i, j);
                }
            }
        }
    }

    /// Goes back to the best placement with some ranks shuffled, more of them the longer there
    /// has been no progress.
    fn restart(&mut self, instance: &Instance, best: &[u32], strength: usize, random: &mut Random) {
        let size = self.size;
        self.slot_of.copy_from_slice(best);
        let share = size / 10 + strength % 10 * size / 25;
        let count = share.clamp(3, size);
        let mut chosen: Vec<usize> = (0..size).collect();
        random.shuffle(&mut chosen);
        for k in 1..count.min(size) {
            self.slot_of.swap(chosen[k - 1], chosen[k]);
        }
        self.rebuild(instance);
        self.value = instance.hop_bytes(&self.slot_of[..instance.ranks]);
    }
}

/// The least of a row, in eight strands so that it becomes vector code.
fn minimum<C: Cell>(row: &[C]) -> C {
    let mut strands = [C::MAX; 8];
    let chunks = row.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (strand, &cell) in strands.iter_mut().zip(chunk) {
            *strand = if cell < *strand { cell } else { *strand };
        }
    }
    strands.iter().chain(rest).fold(C::MAX, |low, &cell| if cell < low { cell } else { low })
}

/// The placement with a rank without traffic on each free slot.
fn padded(instance: &Instance, state: &State) -> Vec<u32> {
    let mut slot_of = state.slot_of.clone();
    let free = state.rank_at.iter().enumerate().filter(|&(_, &rank)| rank == FREE);
    slot_of.extend(free.map(|(slot, _)| slot as u32));
    debug_assert_eq!(slot_of.len(), instance.slots, "every slot holds one rank or none");
    slot_of
}
