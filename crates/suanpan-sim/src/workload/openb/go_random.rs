//! The random numbers of the authors' simulator: Go's `math/rand`, an additive lagged Fibonacci
//! generator of D. P. Mitchell and J. A. Reeds, so that a published seed gives the published
//! workload.
//!
//! Each number is the sum of those 607 and 273 before it. The state for a seed is a simple
//! generator's numbers mixed with a fixed state: that of seed 1 after 7.8 × 10¹² steps, which is
//! computed here by jumping ahead (a power of x modulo x⁶⁰⁷ − x³³⁴ − 1).

use std::sync::OnceLock;

/// How far back the farther of the two numbers is.
const LENGTH: usize = 607;

/// How far back the nearer one is.
const TAP: usize = 273;

/// Steps from seed 1 to the fixed state.
const STEPS: u64 = 7_800_000_000_000;

/// Go's `rand.Rand` over its own source.
#[derive(Clone, Debug)]
pub struct GoRandom {
    /// The last numbers; the next one replaces the oldest, which is at `feed - 1`.
    state: Vec<u64>,
    feed: usize,
}

impl GoRandom {
    /// `rand.Seed(seed)`.
    #[must_use]
    pub fn new(seed: u32) -> GoRandom {
        static FIXED: OnceLock<Vec<u64>> = OnceLock::new();
        let fixed = FIXED.get_or_init(|| ahead(&seeded(1, 20), STEPS));
        let state = seeded(seed, 40).iter().zip(fixed).map(|(own, fixed)| own ^ fixed).collect();
        GoRandom { state, feed: LENGTH - TAP }
    }

    /// `Int63`: the next number, of 63 bits.
    pub fn int63(&mut self) -> u64 {
        self.feed = self.feed.checked_sub(1).unwrap_or(LENGTH - 1);
        let sum = self.state[self.feed].wrapping_add(self.state[(self.feed + TAP) % LENGTH]);
        self.state[self.feed] = sum;
        sum & (u64::MAX >> 1)
    }

    /// `Intn`: a number below `count`, which is more than 0 and less than 2³¹.
    pub fn below(&mut self, count: u32) -> u32 {
        let unfair = (1 << 31) - (1 << 31) % count;
        loop {
            let drawn = (self.int63() >> 32) as u32;
            if count.is_power_of_two() || drawn < unfair {
                return drawn % count;
            }
        }
    }

    /// `Shuffle`.
    pub fn shuffle<T>(&mut self, things: &mut [T]) {
        for last in (1..things.len()).rev() {
            let count = u32::try_from(last + 1).expect("fewer things than 2^32");
            things.swap(last, self.below_by_product(count) as usize);
        }
    }

    /// `Perm`: the numbers below `count` in random order.
    pub fn permutation(&mut self, count: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..count).collect();
        for index in 0..count {
            let other = self.below(index + 1) as usize;
            order[index as usize] = order[other];
            order[other] = index;
        }
        order
    }

    /// A number below `count`, as `Shuffle` draws it (D. Lemire, "Fast random integer generation
    /// in an interval", 2019).
    fn below_by_product(&mut self, count: u32) -> u32 {
        let unfair = count.wrapping_neg() % count;
        loop {
            let product = (self.int63() >> 31) * u64::from(count);
            if product as u32 >= unfair {
                return (product >> 32) as u32;
            }
        }
    }
}

/// The state of a seed before it is mixed: three numbers of the generator x → 48271 x mod 2³¹ − 1
/// for each place, each moved up by `shift`, half of it, and not.
fn seeded(seed: u32, shift: u32) -> Vec<u64> {
    const MODULUS: u64 = (1 << 31) - 1;
    let start = match u64::from(seed) % MODULUS {
        0 => 89_482_311,
        seed => seed,
    };
    let mut simple = std::iter::successors(Some(start), |x| Some(x * 48_271 % MODULUS)).skip(21);
    let mut next = || simple.next().expect("the sequence has no end");
    (0..LENGTH).map(|_| next() << shift ^ next() << (shift / 2) ^ next()).collect()
}

/// The state after many steps.
fn ahead(state: &[u64], steps: u64) -> Vec<u64> {
    // Place 333 holds the oldest number, then downwards and round.
    let place = |number: u64| ((LENGTH - TAP - 1 + LENGTH) as u64 - number % 607) as usize % LENGTH;
    let mut numbers: Vec<u64> = (0..LENGTH as u64).map(|number| state[place(number)]).collect();
    for number in LENGTH..2 * LENGTH {
        numbers.push(numbers[number - LENGTH].wrapping_add(numbers[number - TAP]));
    }
    let power = power_of_x(steps);
    let mut after = vec![0; LENGTH];
    for index in 0..LENGTH {
        let terms = power.iter().zip(&numbers[index..]);
        after[place(steps + index as u64)] = terms
            .fold(0u64, |sum, (factor, number)| sum.wrapping_add(factor.wrapping_mul(*number)));
    }
    after
}

/// x to the power `steps`, modulo x⁶⁰⁷ − x³³⁴ − 1 and 2⁶⁴. O(607² log steps).
fn power_of_x(steps: u64) -> Vec<u64> {
    let mut power = vec![0u64; LENGTH];
    power[0] = 1;
    for bit in (0..u64::BITS - steps.leading_zeros()).rev() {
        let mut square = vec![0u64; 2 * LENGTH];
        for (low, factor) in power.iter().enumerate() {
            for (high, other) in power.iter().enumerate() {
                let at = &mut square[low + high + (steps >> bit & 1) as usize];
                *at = at.wrapping_add(factor.wrapping_mul(*other));
            }
        }
        for high in (LENGTH..2 * LENGTH).rev() {
            let factor = std::mem::take(&mut square[high]);
            for low in [high - LENGTH, high - TAP] {
                square[low] = square[low].wrapping_add(factor);
            }
        }
        square.truncate(LENGTH);
        power = square;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_1_gives_the_numbers_every_go_program_once_began_with() {
        let mut random = GoRandom::new(1);
        let drawn: Vec<u32> = (0..10).map(|_| random.below(100)).collect();
        assert_eq!(drawn, [81, 87, 47, 59, 81, 18, 25, 40, 56, 0]);
    }
}
