//! Random numbers: one stream per kind of thing, all from one seed.
//!
//! Drawing more numbers of one kind (an extra user, say) must not move those of another (arrival
//! times), or two experiments that differ in one setting would differ in everything.

use rand_pcg::Pcg64;

/// What a stream is for. Its place in this list is part of what a seed means: add at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Times between submissions.
    Arrivals,
    /// Sizes of jobs.
    Sizes,
    /// Run times.
    RunTimes,
    /// Requested times.
    Estimates,
    /// Users.
    Users,
    /// Drawing jobs from a list, and shuffling them.
    Draws,
    /// Random choices of a policy that is defined by them.
    Policy,
    /// Failures of nodes and links.
    Faults,
}

/// The stream of one kind of thing for a seed.
#[must_use]
pub fn stream(seed: u64, kind: Stream) -> Pcg64 {
    Pcg64::new(u128::from(seed), kind as u128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        let draw = |seed, kind| stream(seed, kind).next_u64();
        assert_eq!(draw(42, Stream::Sizes), draw(42, Stream::Sizes));
        assert_ne!(draw(42, Stream::Sizes), draw(42, Stream::Arrivals));
        assert_ne!(draw(42, Stream::Sizes), draw(43, Stream::Sizes));
    }
}
