//! Comparing offers by the job's goal.
//!
//! A score has three parts, compared in turn, smaller first:
//!
//! | goal | first | then | then |
//! | --- | --- | --- | --- |
//! | `fastest` | finish | position of the flavor in the job's list | price |
//! | `cheapest` | price | position of the flavor | finish |
//! | `balanced` | `time / best time + price / best price` | position of the flavor | finish |
//!
//! So the goal decides first, and the job's order of flavors decides between equals. What is
//! still equal is decided by the earlier start, then by cluster, partition and flavor index.
//!
//! *finish* is start + staging + run: waiting counts. *price* is the most it may cost; of a program
//! whose run time is known ([`crate::flavor_speed`]), what it is expected to cost. In `balanced`,
//! *time* is from now to the finish, *best time* the shortest staging + run that any fitting pool
//! would need if it were free, and *best price* the lowest fitting price above zero. Both are
//! fixed by shape and
//! inventories, so the comparison does not change as time passes: a job never drops its shadow
//! start for another only because it has waited. The comparison is done exactly, on
//! `finish * best price + price * best time`.

use crate::fit::Offer;
use suanpan_model::id::ClusterId;
use suanpan_model::job::Goal;
use suanpan_model::money::MicroCredits;
use suanpan_model::time::{Seconds, Timestamp};

#[cfg(test)]
mod tests;

/// How good an offer is; smaller is better. A total order: no two offers of a shape are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score {
    goal: i128,
    preference: u16,
    second: i64,
    start: Timestamp,
    cluster: ClusterId,
    partition: u16,
    flavor: u16,
}

/// What `balanced` weighs against: the best of each over all offers of the shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Yardstick {
    /// Shortest staging + run; at least one second.
    pub length: Seconds,
    /// Lowest price above zero; one micro-credit if all are free.
    pub cost: MicroCredits,
}

impl Yardstick {
    /// The best of each over `offers`.
    #[must_use]
    pub fn of(offers: &[Offer]) -> Yardstick {
        let length = offers.iter().map(|offer| offer.length().0.max(1)).min().unwrap_or(1);
        let cost = offers.iter().map(|offer| offer.expected_cost.0).filter(|&cost| cost > 0).min();
        Yardstick { length: Seconds(length), cost: MicroCredits(cost.unwrap_or(1)) }
    }
}

/// The score of an offer that starts at `start`.
#[must_use]
pub fn score(goal: Goal, offer: &Offer, start: Timestamp, yardstick: &Yardstick) -> Score {
    let finish = start.plus(offer.length()).0;
    let cost = offer.expected_cost.0;
    let (goal, second) = match goal {
        Goal::Fastest => (i128::from(finish), cost),
        Goal::Cheapest => (i128::from(cost), finish),
        Goal::Balanced => {
            let length = i128::from(yardstick.length.micros());
            let weighed = i128::from(finish) * i128::from(yardstick.cost.0);
            (weighed + i128::from(cost) * length, finish)
        }
    };
    Score {
        goal,
        preference: offer.preference,
        second,
        start,
        cluster: offer.cluster,
        partition: offer.partition,
        flavor: offer.flavor,
    }
}

impl Score {
    /// The start it was made for.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }
}

/// The goal's part of a score as people read it: milliseconds from `now` to the finish
/// (`fastest`), micro-credits (`cheapest`), or thousandths of the best time plus thousandths of
/// the best price (`balanced`; 2000 is the best of both at once).
#[must_use]
pub fn shown(
    goal: Goal,
    offer: &Offer,
    start: Timestamp,
    now: Timestamp,
    yardstick: &Yardstick,
) -> i64 {
    let micros = start.plus(offer.length()).micros_since(now);
    let shown = match goal {
        Goal::Fastest => i128::from(micros / 1_000),
        Goal::Cheapest => i128::from(offer.expected_cost.0),
        Goal::Balanced => {
            i128::from(micros) * 1_000 / i128::from(yardstick.length.micros())
                + i128::from(offer.expected_cost.0) * 1_000 / i128::from(yardstick.cost.0)
        }
    };
    i64::try_from(shown).unwrap_or(i64::MAX)
}
