//! First come, first served: no job starts before one that goes before it.

use crate::order::waiting::{Waiting, WaitingList};
use crate::timeline::profile::Profile;
use suanpan_model::time::Timestamp;

/// Starts jobs in order while the first one fits: O(log n + B) for each start (see
/// [`WaitingList`] and [`Profile`]). With another order than that of submission it is the list
/// policy of that order, without backfill.
pub fn start_in_order(
    now: Timestamp,
    waiting: &mut WaitingList,
    profile: &mut Profile,
    start: &mut impl FnMut(Waiting),
) {
    while let Some(first) = waiting.first()
        && first.processors <= profile.free_at(now)
    {
        profile.take(now, now.plus(first.hold), first.processors);
        start(waiting.pop_first().expect("the first job was just looked at"));
    }
}
