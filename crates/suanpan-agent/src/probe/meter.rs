//! What pings, trains and transfers of one link say, and when to measure its throughput. Times
//! count from the agent's start.

use std::collections::VecDeque;
use std::time::Duration;

/// Length of the window that a sample of pings is of; the default of the CATS metric registry.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// How often a window is told.
const TELL_PERIOD: Duration = Duration::from_secs(5);

/// A window with fewer answers says nothing of quantiles; one without any is told.
const PINGS_MIN: usize = 3;

/// What TCP on Linux waits before it repeats is 200 ms and more; an answer that much late was lost.
const REPEATED_AFTER: Duration = Duration::from_millis(150);

/// The pings of the last window.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    /// When each was sent and how long its answer took.
    window: VecDeque<(Duration, Option<Duration>)>,
    told: Option<Duration>,
}

/// What a window of pings says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Median and 99th percentile of the round trip, if there were answers.
    pub(crate) round_trip: Option<[Duration; 2]>,
    /// Parts per million.
    pub(crate) loss_ppm: u64,
    /// How many pings.
    pub(crate) count: usize,
}

impl Pings {
    /// A ping was answered or not.
    pub(crate) fn add(&mut self, sent: Duration, took: Option<Duration>) {
        self.window.push_back((sent, took));
    }

    /// Whether the last ping was answered.
    pub(crate) fn is_answering(&self) -> bool {
        self.window.back().is_some_and(|(_, took)| took.is_some())
    }

    /// Median of the round trip in the window; zero without an answer.
    pub(crate) fn median(&self) -> Duration {
        let mut answered: Vec<Duration> =
            self.window.iter().filter_map(|(_, took)| *took).collect();
        answered.sort_unstable();
        answered.get(answered.len() / 2).copied().unwrap_or_default()
    }

    /// The window until now, if it is time to tell it.
    pub(crate) fn tell(&mut self, now: Duration) -> Option<Told> {
        let begin = *self.told.get_or_insert(now);
        if now < begin + TELL_PERIOD {
            return None;
        }
        while self.window.front().is_some_and(|(sent, _)| *sent + WINDOW < now) {
            self.window.pop_front();
        }
        self.told = Some(now);
        let mut answered: Vec<Duration> =
            self.window.iter().filter_map(|(_, took)| *took).collect();
        if self.window.is_empty() || (1..PINGS_MIN).contains(&answered.len()) {
            return None;
        }
        answered.sort_unstable();
        // Nearest rank.
        let rank = |percent: usize| (answered.len() * percent).div_ceil(100).saturating_sub(1);
        let quantile = |percent| answered.get(rank(percent)).copied();
        let round_trip = quantile(50).zip(quantile(99)).map(|(median, p99)| [median, p99]);
        let patience = quantile(50).unwrap_or_default() * 2 + REPEATED_AFTER;
        let in_time = answered.iter().filter(|took| **took <= patience).count();
        let count = self.window.len();
        let loss_ppm = ((count - in_time) * 1_000_000 / count) as u64;
        Some(Told { round_trip, loss_ppm, count })
    }
}

/// Trains that others are compared with.
const TRAINS_KEPT: usize = 5;
/// Fewer do not suffice.
const TRAINS_MIN: usize = 2;
/// Trains differ if one's rate is so many times the other's.
const TRAINS_DIFFER: u64 = 2;
/// A train is no faster than its link, so this many times the known throughput contradicts it,
const TRAIN_ABOVE: u64 = 2;
/// and so does this part of it, though a train may be a good deal slower than a long transfer.
const TRAIN_BELOW: u64 = 5;
/// After this time without a sample of the throughput it is measured.
const STALE: Duration = Duration::from_secs(600);
/// Two measurements that confirm each other are so far apart.
const CONFIRM_AFTER: Duration = Duration::from_secs(1);
/// Longest rest after measurements that found nothing new, one soon after the other.
const REST_MAX: Duration = Duration::from_secs(60);
/// Shortest.
const REST_MIN: Duration = Duration::from_secs(10);

/// Decides when the throughput of a link is measured actively.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The newest sample of the throughput, and when it was taken.
    known: Option<(Duration, u64)>,
    trains: VecDeque<u64>,
    odd_trains: u32,
    /// Median and loss when the throughput was measured last.
    delay: Option<(Duration, u64)>,
    /// When something said that it is another one now.
    doubt: Option<Duration>,
    /// Not before this.
    rest_until: Duration,
    rest: Duration,
    /// The last measurement differed from the one before and wants to be confirmed.
    unconfirmed: bool,
}

impl Watch {
    /// A window of pings was told while no transfer ran.
    pub(crate) fn window(&mut self, now: Duration, told: &Told) {
        let Some([median, _]) = told.round_trip else {
            // Whatever comes back may be another link.
            self.delay = Some((Duration::MAX, told.loss_ppm));
            return;
        };
        let (before, loss) = *self.delay.get_or_insert((median, told.loss_ppm));
        let least = (before / 3).max(Duration::from_millis(5));
        if median.abs_diff(before) > least || told.loss_ppm.abs_diff(loss) > 100_000 {
            self.delay = Some((median, told.loss_ppm));
            self.doubt = Some(now);
        }
    }

    /// A train came. Says whether the next should come soon.
    pub(crate) fn train(&mut self, now: Duration, rate: u64) -> Soon {
        let mut known: Vec<u64> = self.trains.iter().copied().collect();
        known.sort_unstable();
        let usual = known.get(known.len() / 2).copied().unwrap_or_default();
        let differs = rate.saturating_mul(TRAINS_DIFFER) < usual
            || usual.saturating_mul(TRAINS_DIFFER) < rate;
        let contradicts = self.known.is_some_and(|(_, known)| {
            rate / TRAIN_ABOVE > known || rate.saturating_mul(TRAIN_BELOW) < known
        });
        if known.len() >= TRAINS_MIN && differs || contradicts {
            self.odd_trains += 1;
            if self.odd_trains < 2 {
                return Soon::Yes;
            }
            self.doubt = Some(now);
            self.trains.clear();
        } else {
            self.trains.push_back(rate);
            if self.trains.len() > TRAINS_KEPT {
                self.trains.pop_front();
            }
        }
        self.odd_trains = 0;
        Soon::No
    }

    /// A transfer gave a sample of the throughput.
    pub(crate) fn transfer(&mut self, now: Duration, rate: u64) {
        if self.known.is_some_and(|(_, known)| differs(known, rate)) {
            self.doubt = Some(now);
        }
        self.known = Some((now, rate));
    }

    /// A transfer failed, or the link came back.
    pub(crate) fn doubt(&mut self, now: Duration) {
        self.doubt = Some(now);
    }

    /// Whether to measure now; `period` is how often the budget allows it without a reason.
    pub(crate) fn is_due(&self, now: Duration, period: Duration) -> bool {
        let is_stale = self.known.is_none_or(|(at, _)| now > at + STALE.max(period));
        now >= self.rest_until && (self.unconfirmed || self.doubt.is_some() || is_stale)
    }

    /// It was measured, or could not be.
    pub(crate) fn measured(&mut self, now: Duration, rate: Option<u64>) {
        let is_news = match (self.known, rate) {
            (Some((_, known)), Some(rate)) => differs(known, rate),
            // Taken while everything starts, it may say more of the machines than of the link.
            (None, rate) => rate.is_some(),
            (Some(_), None) => false,
        };
        if let Some(rate) = rate {
            self.known = Some((now, rate));
        }
        self.doubt = None;
        self.unconfirmed = is_news;
        self.rest = match is_news || now > self.rest_until + REST_MAX {
            true => Duration::ZERO,
            false => self.rest * 2,
        };
        self.rest = self.rest.clamp(REST_MIN, REST_MAX);
        self.rest_until = now + if is_news { CONFIRM_AFTER } else { self.rest };
    }

    /// What a transfer moves by the newest sample, bits per second.
    pub(crate) fn known(&self) -> Option<u64> {
        self.known.map(|(_, rate)| rate)
    }
}

/// Whether the next train should come soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Soon {
    /// It should, to confirm this one.
    Yes,
    /// At its time.
    No,
}

/// Two samples of throughput are of different links.
fn differs(one: u64, other: u64) -> bool {
    one.min(other).saturating_mul(3) < one.max(other).saturating_mul(2)
}
