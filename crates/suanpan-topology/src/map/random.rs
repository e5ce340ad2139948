//! The seeded generator of the search: the same seed gives the same numbers everywhere.

/// xoshiro256++ 1.0, seeded through splitmix64 (Blackman and Vigna, "Scrambled linear
/// pseudorandom number generators", 2021; reference code in the public domain).
#[derive(Debug, Clone)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// A stream for `seed` and `lane`: two lanes of one seed share no state.
    #[must_use]
    pub fn new(seed: u64, lane: u64) -> Self {
        let mut mix = seed ^ lane.wrapping_mul(0xd1b5_4a32_d192_ed03);
        let mut next = || {
            mix = mix.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (mix ^ (mix >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        Self { state: [next(), next(), next(), next()] }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }

    /// Another stream that starts where this one would be far on.
    #[must_use]
    pub fn branch(&self) -> Self {
        let mut from = self.clone();
        Self::new(from.bits(), from.bits())
    }

    /// A number below `bound`, which is not zero and fits 32 bits. The bias of the multiplication
    /// is below 2⁻³² and of no consequence in a search.
    pub fn below(&mut self, bound: usize) -> usize {
        (((self.bits() >> 32) * bound as u64) >> 32) as usize
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
