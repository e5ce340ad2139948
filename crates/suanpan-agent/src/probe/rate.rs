//! From arrivals of bytes to a rate.

use std::time::Duration;

/// Bytes until then, and when, since the question was asked.
pub(crate) type Arrival = (u64, Duration);

/// A flight that was read in less time lay in a buffer, and says nothing of the link.
const FLIGHT_MIN: Duration = Duration::from_millis(1);

/// The shortest time that arrivals are divided by.
const TICK: Duration = Duration::from_micros(200);

/// Rate of a long transfer, bits per second: that of the second half of its bytes, when the
/// sender's window has grown to what the link takes. `None` of fewer than four arrivals.
pub(crate) fn steady(arrivals: &[Arrival]) -> Option<u64> {
    let (total, end) = *arrivals.last()?;
    let middle = arrivals.partition_point(|(bytes, _)| *bytes < total / 2);
    let (half, begin) = *arrivals.get(middle)?;
    let enough = arrivals.len() >= 4 && half < total;
    enough.then(|| bits_per_second(total - half, end.saturating_sub(begin)))
}

/// Rate within the last flight of a short transfer, bits per second. A sender whose window still
/// grows sends a flight in each round trip and then waits; how far the bottleneck draws its
/// packets apart says the rate, though not exactly (packet trains: Jain and Dovrolis, IEEE/ACM
/// Transactions on Networking 11(4), 2003). Good for comparing with other trains only.
pub(crate) fn train(arrivals: &[Arrival], round_trip: Duration) -> Option<u64> {
    let gap = (round_trip / 3).max(Duration::from_millis(2));
    let begins = |pair: &[Arrival]| pair[1].1.saturating_sub(pair[0].1) > gap;
    let mut flights: Vec<&[Arrival]> = Vec::new();
    let mut from = 0;
    for to in 1..=arrivals.len() {
        if to == arrivals.len() || begins(&arrivals[to - 1..=to]) {
            flights.push(&arrivals[from..to]);
            from = to;
        }
    }
    let size = |flight: &[Arrival]| flight[flight.len() - 1].0 - flight[0].0;
    let largest = flights.into_iter().max_by_key(|flight| size(flight))?;
    // A slow link draws packets so far apart that each looks like a flight; then it never rests,
    // and its rate is that of all of them. A last flight is about half of what was sent.
    let largest = if size(largest) < size(arrivals) / 8 { arrivals } else { largest };
    let took = largest[largest.len() - 1].1.saturating_sub(largest[0].1);
    (size(largest) > 0 && took >= FLIGHT_MIN).then(|| bits_per_second(size(largest), took))
}

fn bits_per_second(bytes: u64, took: Duration) -> u64 {
    let micros = took.max(TICK).as_micros();
    u64::try_from(u128::from(bytes) * 8_000_000 / micros).unwrap_or(u64::MAX)
}
