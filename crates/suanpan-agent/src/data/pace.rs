//! Limits on links: bytes are asked for no faster than a link may carry them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The limits of all links to this site, by the site at their other end.
#[derive(Default)]
pub struct Paces(Mutex<BTreeMap<Option<String>, Pace>>);

struct Pace {
    bits_per_s: u64,
    /// When everything that was let through will have passed.
    free: Instant,
}

impl Paces {
    /// Sets the limit of a link; those of the control plane's store have no name.
    pub fn set(&self, from: Option<&str>, bits_per_s: Option<u64>) {
        let mut paces = self.0.lock().expect("no holder of this lock panics");
        let key = from.map(str::to_owned);
        match bits_per_s {
            None => {
                paces.remove(&key);
            }
            Some(bits_per_s) => {
                let free = Instant::now();
                paces.entry(key).or_insert(Pace { bits_per_s, free }).bits_per_s = bits_per_s;
            }
        }
    }

    /// How long to wait before so many bytes are asked for; they are counted as asked for.
    ///
    /// Every asker waits for those before it, so concurrent transfers share the limit as they ask:
    /// evenly, since each asks for one chunk at a time.
    #[must_use]
    pub fn delay(&self, from: Option<&str>, bytes: u64) -> Duration {
        let mut paces = self.0.lock().expect("no holder of this lock panics");
        let Some(pace) = paces.get_mut(&from.map(str::to_owned)) else { return Duration::ZERO };
        let now = Instant::now();
        let begin = pace.free.max(now);
        let micros = (u128::from(bytes) * 8_000_000) / u128::from(pace.bits_per_s.max(1));
        pace.free = begin + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX >> 8));
        begin - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_carries_no_more_than_its_limit() {
        let paces = Paces::default();
        assert_eq!(paces.delay(Some("a"), 1 << 30), Duration::ZERO);
        paces.set(Some("a"), Some(8_000_000));
        // Ten chunks of a megabyte at a megabyte a second: the last is asked for after nine.
        let last = (0..10).map(|_| paces.delay(Some("a"), 1_000_000)).last();
        let last = last.expect("ten delays").as_secs_f64();
        assert!((8.9..=9.0).contains(&last), "{last}");
        assert_eq!(paces.delay(Some("b"), 1 << 30), Duration::ZERO);
        paces.set(Some("a"), None);
        assert_eq!(paces.delay(Some("a"), 1), Duration::ZERO);
    }
}
