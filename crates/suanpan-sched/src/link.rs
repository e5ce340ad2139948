//! From samples of a link to what is believed of it.
//!
//! An estimate follows its samples with a threshold and with damping, the defences against
//! flapping that the CATS framework (RFC 10053) asks for: placement should follow a link that
//! changed within half a minute and not follow noise at all. Each value of an estimate is judged
//! alone:
//!
//! - a **large** change is told at once when the last two samples agree on it;
//! - a **small** one when every sample of the last minute, and three at least, is on the same side
//!   of the value by more than a threshold; the new value is their median;
//! - less than the threshold is never told;
//! - the **second** sample of a throughput replaces a first that was lower by more than the
//!   threshold: the first is taken while everything starts, which can only make it too low, and
//!   for minutes no third may come.
//!
//! | value | threshold | large | never told below |
//! | --- | --- | --- | --- |
//! | round trip, median | 20 % | twice or half | 2 ms |
//! | round trip, 99th percentile | 50 % | four times or a quarter | 10 ms |
//! | throughput | 20 % | twice or half | |
//! | loss, mean of the last minute | half of it | last two samples by 10 points | 2 points |
//!
//! A link on which two windows in a row had no answer at all is **cut**: its throughput is 0 until
//! two windows in a row had some. Then it is that of the newest sample until newer ones change it.
//!
//! What was never measured is the operator's declaration; a delay that was measured in the other
//! direction only is that one, for a round trip is the same both ways.

pub mod score;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use suanpan_model::network::{LinkEstimate, Metric, Origin, Sample, Statistic};
use suanpan_model::time::Timestamp;

/// Samples of one link that are kept of each value; 5 s between those of pings make it a minute
/// and a half.
const KEPT: usize = 20;

/// How far back a small change must reach, microseconds.
const DAMPING_US: i64 = 60_000_000;

/// How many samples must agree on a small change.
const AGREEING: usize = 3;

/// Loss of a window without a single answer, parts per million.
const NOTHING: u64 = 1_000_000;

/// The newest samples of one directed link, a bounded number.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    round_trip: Series,
    round_trip_p99: Series,
    loss: Series,
    throughput: Series,
}

/// Values with the time of each, oldest first.
#[derive(Clone, Debug, Default)]
struct Series(VecDeque<(Timestamp, u64)>);

/// What an operator declares of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Delay there and back, microseconds.
    pub round_trip_us: u32,
    /// Bits per second.
    pub throughput_bps: u64,
}

/// When a value that changed is told.
struct Rule {
    /// Least deviation, percent of the value told last.
    threshold_percent: u64,
    /// Least deviation in the value's unit.
    floor: u64,
    /// A deviation by this factor is large.
    large: u64,
}

impl Rule {
    /// The deviation from a value that is not told yet.
    fn least(&self, current: u64) -> u64 {
        self.floor.max(current.saturating_mul(self.threshold_percent) / 100)
    }
}

const ROUND_TRIP: Rule = Rule { threshold_percent: 20, floor: 2_000, large: 2 };
const ROUND_TRIP_P99: Rule = Rule { threshold_percent: 50, floor: 10_000, large: 4 };
const THROUGHPUT: Rule = Rule { threshold_percent: 20, floor: 0, large: 2 };

/// Loss is told if its mean changed by so much, and by half.
const LOSS_FLOOR_PPM: u64 = 20_000;
/// A change of loss by so much is large.
const LOSS_LARGE_PPM: u64 = 100_000;

impl Samples {
    /// Takes a sample. Statistics that no estimate is made of are skipped, and so are samples
    /// that are no newer than the last of their kind.
    pub fn add(&mut self, sample: &Sample) {
        let series = match (sample.metric, sample.statistic) {
            (Metric::RoundTrip, Statistic::P50) => &mut self.round_trip,
            (Metric::RoundTrip, Statistic::P99) => &mut self.round_trip_p99,
            (Metric::Loss, Statistic::Mean) => &mut self.loss,
            (Metric::Throughput, Statistic::Mean | Statistic::Cur) => &mut self.throughput,
            _ => return,
        };
        // Values and times are an agent's: whatever they are, nothing may overflow.
        let value = match sample.metric {
            Metric::Loss => sample.value.min(NOTHING),
            _ => sample.value,
        };
        let newest = series.0.back().map(|(at, _)| *at);
        if newest.is_some_and(|at| at.0.saturating_sub(sample.at.0) > DAMPING_US) {
            // The agent's clock was set back: what it told before is of another time.
            series.0.clear();
        } else if newest.is_some_and(|at| at >= sample.at) {
            return;
        }
        series.0.push_back((sample.at, value));
        if series.0.len() > KEPT {
            series.0.pop_front();
        }
    }

    /// When the newest sample was taken.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        let all = [&self.round_trip, &self.loss, &self.throughput];
        all.into_iter().filter_map(|series| series.0.back().map(|(at, _)| *at)).max()
    }

    /// Whether the last two windows had no answer at all.
    fn is_cut(&self) -> bool {
        self.loss.last_two().is_some_and(|[one, other]| one >= NOTHING && other >= NOTHING)
    }

    /// Whether one of the last two windows had no answer at all.
    fn is_unsure(&self) -> bool {
        self.loss.0.iter().rev().take(2).any(|(_, loss)| *loss >= NOTHING)
    }
}

impl Series {
    fn last(&self) -> Option<u64> {
        self.0.back().map(|(_, value)| *value)
    }

    fn last_two(&self) -> Option<[u64; 2]> {
        let mut newest = self.0.iter().rev().map(|(_, value)| *value);
        Some([newest.next()?, newest.next()?])
    }

    /// The second value of all, if it is above the first and `current` is that one.
    fn second_thought(&self, current: u64, rule: &Rule) -> Option<u64> {
        let [second, first] = self.last_two().filter(|_| self.0.len() == 2)?;
        let is_above = second > current.saturating_add(rule.least(current));
        (first == current && is_above).then_some(second)
    }

    /// The value to believe after `current`, by the rule in the module's words.
    fn follow(&self, current: u64, rule: &Rule) -> u64 {
        if let Some([one, other]) = self.last_two() {
            let is_more = |value: u64| value >= current.saturating_mul(rule.large);
            let is_less = |value: u64| value.saturating_mul(rule.large) <= current;
            let is_told = |value: u64| value.abs_diff(current) > rule.floor;
            if is_told(one)
                && is_told(other)
                && (is_more(one) && is_more(other) || is_less(one) && is_less(other))
            {
                return u64::midpoint(one, other);
            }
        }
        let least = rule.least(current);
        self.agreed(|value| match value.abs_diff(current) > least {
            true => Some(value > current),
            false => None,
        })
        .unwrap_or(current)
    }

    /// The median of the newest values, if they reach back far enough, are enough and `side` says
    /// the same of each.
    fn agreed(&self, side: impl Fn(u64) -> Option<bool>) -> Option<u64> {
        let (newest, value) = *self.0.back()?;
        let agreed = side(value)?;
        let mut values = Vec::new();
        for (at, value) in self.0.iter().rev() {
            if side(*value) != Some(agreed) {
                return None;
            }
            values.push(*value);
            if newest.0.saturating_sub(at.0) >= DAMPING_US && values.len() >= AGREEING {
                values.sort_unstable();
                return Some(values[values.len() / 2]);
            }
        }
        None
    }

    /// The mean of the last minute, once there was one.
    fn recent_mean(&self) -> Option<u64> {
        let ((oldest, _), (newest, _)) = (*self.0.front()?, *self.0.back()?);
        let is_recent = |at: Timestamp| newest.0.saturating_sub(at.0) <= DAMPING_US;
        if newest.0.saturating_sub(oldest.0) < DAMPING_US {
            return None;
        }
        let recent = self.0.iter().rev().take_while(|(at, _)| is_recent(*at));
        let values: Vec<u64> = recent.map(|(_, value)| *value).collect();
        Some(values.iter().sum::<u64>() / values.len() as u64)
    }
}

/// What is believed of a link now: from its samples, what was believed of it, what its operator
/// declares and what is believed of the other direction. `None` while nothing is known of its
/// throughput or its delay. Equal to `current`, time included, if nothing is to be told. O(samples
/// kept), that is O(1).
#[must_use]
pub fn estimate(
    samples: &Samples,
    current: Option<&LinkEstimate>,
    declared: Option<Declared>,
    reverse: Option<&LinkEstimate>,
    now: Timestamp,
) -> Option<LinkEstimate> {
    let delay = delay(samples, current, declared, reverse)?;
    let (throughput_bps, throughput_from) = throughput(samples, current, declared)?;
    let found = LinkEstimate {
        round_trip_us: delay.median_us,
        round_trip_p99_us: delay.p99_us.max(delay.median_us),
        loss_ppm: delay.loss_ppm,
        throughput_bps,
        delay_from: delay.from,
        throughput_from,
        at: current.map_or(now, |current| current.at),
    };
    match current {
        Some(current) if found == *current => Some(found),
        _ => Some(LinkEstimate { at: now, ..found }),
    }
}

struct Delay {
    median_us: u32,
    p99_us: u32,
    loss_ppm: u32,
    from: Origin,
}

fn delay(
    samples: &Samples,
    current: Option<&LinkEstimate>,
    declared: Option<Declared>,
    reverse: Option<&LinkEstimate>,
) -> Option<Delay> {
    let known = current.filter(|current| current.delay_from == Origin::Measured);
    let Some(newest) = samples.round_trip.last().or(known.map(|known| known.round_trip_us.into()))
    else {
        let of = |estimate: &LinkEstimate, from| Delay {
            median_us: estimate.round_trip_us,
            p99_us: estimate.round_trip_p99_us,
            loss_ppm: estimate.loss_ppm,
            from,
        };
        return reverse
            .filter(|reverse| reverse.delay_from == Origin::Measured)
            .map(|reverse| of(reverse, Origin::Derived))
            .or(declared.map(|declared| Delay {
                median_us: declared.round_trip_us,
                p99_us: declared.round_trip_us,
                loss_ppm: 0,
                from: Origin::Declared,
            }));
    };
    let (median, p99, loss) = match known {
        Some(known) => (
            samples.round_trip.follow(known.round_trip_us.into(), &ROUND_TRIP),
            samples.round_trip_p99.follow(known.round_trip_p99_us.into(), &ROUND_TRIP_P99),
            follow_loss(&samples.loss, known.loss_ppm.into()),
        ),
        None => (
            newest,
            samples.round_trip_p99.last().unwrap_or(newest),
            samples.loss.last().unwrap_or_default(),
        ),
    };
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let loss_ppm = narrow(loss.min(NOTHING));
    Some(Delay { median_us: narrow(median), p99_us: narrow(p99), loss_ppm, from: Origin::Measured })
}

/// A window has few pings, so that one lost among them looks like much: their mean is judged.
fn follow_loss(series: &Series, current: u64) -> u64 {
    if let Some([one, other]) = series.last_two() {
        let is_more = one.min(other) >= current + LOSS_LARGE_PPM;
        let is_less = one.max(other) + LOSS_LARGE_PPM <= current;
        if is_more || is_less {
            return u64::midpoint(one, other);
        }
    }
    match series.recent_mean() {
        Some(mean) if mean.abs_diff(current) > LOSS_FLOOR_PPM.max(current / 2) => mean,
        _ => current,
    }
}

fn throughput(
    samples: &Samples,
    current: Option<&LinkEstimate>,
    declared: Option<Declared>,
) -> Option<(u64, Origin)> {
    if samples.is_cut() {
        return Some((0, Origin::Measured));
    }
    let known = current.filter(|current| current.throughput_from == Origin::Measured);
    let newest = samples.throughput.last().map(|value| (value, Origin::Measured));
    let declared = declared.map(|declared| (declared.throughput_bps, Origin::Declared));
    match known.map(|known| known.throughput_bps) {
        // It was cut, and is not any more if the last windows are sure of that.
        Some(0) if samples.is_unsure() || samples.loss.0.is_empty() => Some((0, Origin::Measured)),
        Some(0) => newest.or(declared).or(Some((0, Origin::Measured))),
        Some(known) => {
            let series = &samples.throughput;
            let told = series.second_thought(known, &THROUGHPUT);
            let told = told.unwrap_or_else(|| series.follow(known, &THROUGHPUT));
            Some((told, Origin::Measured))
        }
        None => newest.or(declared),
    }
}
