//! How long it takes to move bytes over a link that is known by its round trip and throughput.
//!
//! A transfer asks over new connections, and each begins slowly. Three round trips pass until the
//! first byte is there: one for TCP, one for TLS 1.3 (RFC 8446, section 2), one for the question.
//! Then a connection sends [`INITIAL_WINDOW`] (RFC 6928) and twice as much in each round trip
//! after it, until all of them together fill the link, that is, send a bandwidth-delay product in
//! a round trip. From then on bytes come at the link's throughput. This is the model of Cardwell,
//! Savage and Anderson (*Modeling TCP Latency*, IEEE INFOCOM 2000, section II.B) without losses;
//! the start of BBR grows as fast (Cardwell et al., *BBR*, ACM Queue 14(5), 2016).
//!
//! Over a link of 500 Mbit/s and 42 ms this adds 0.3 s to what the throughput says, which is all
//! of 10 MB and little of 1 GB.

use suanpan_model::network::streams;

/// What a connection sends in its first round trip: ten segments of an Ethernet path.
const INITIAL_WINDOW: u64 = 10 * 1_448;

/// Round trips before the first byte: TCP, TLS, and the question.
const SETUP_TRIPS: u128 = 3;

/// Round trips in which windows grow at most; 2^40 times the first is more than any link holds.
const GROWING_MAX: u32 = 40;

/// Microseconds from the first connection to the last byte; nothing over a link that moves
/// nothing. Without a round trip it is what the throughput says. O(log of the bandwidth-delay
/// product).
#[must_use]
pub fn micros(bytes: u64, round_trip_us: u64, throughput_bps: u64) -> Option<u128> {
    let rate = u128::from(throughput_bps);
    if rate == 0 {
        return None;
    }
    let (trip, bits) = (u128::from(round_trip_us), u128::from(bytes) * 8);
    let moving = |bits: u128| (bits * 1_000_000).div_ceil(rate);
    let setup = SETUP_TRIPS * trip;
    // Bits of one round trip: at first, and when the link is full.
    let mut window = u128::from(INITIAL_WINDOW * streams(bytes)) * 8;
    let full = rate * trip / 1_000_000;
    let (mut sent, mut growing) = (0, 0);
    for _ in 0..GROWING_MAX {
        if window >= full {
            break;
        }
        if sent + window >= bits {
            return Some(setup + growing + moving(bits - sent));
        }
        sent += window;
        window *= 2;
        growing += trip;
    }
    Some(setup + growing + moving(bits - sent))
}

#[cfg(test)]
mod tests {
    use super::micros;

    #[test]
    fn without_a_round_trip_only_the_throughput_counts() {
        assert_eq!(micros(100_000_000, 0, 100_000_000), Some(8_000_000));
        assert_eq!(micros(1, 0, 1_000_000_000), Some(1));
        assert_eq!(micros(1, 1_000, 0), None);
        assert!(micros(u64::MAX, u64::from(u32::MAX), 1).is_some(), "it does not overflow");
    }

    #[test]
    fn a_long_link_begins_slowly() {
        let seconds = |bytes: u64, trip_ms: u64, mbit: u64| {
            let micros = micros(bytes, trip_ms * 1_000, mbit * 1_000_000).expect("it moves");
            micros as f64 / 1e6
        };
        // Nothing grows where a bandwidth-delay product is less than the first windows.
        assert_eq!(micros(4 << 20, 1_000, 100_000_000), Some(3_000 + 335_545));
        // Six round trips of growth, in which 63 times 57,920 bytes are sent.
        let fixed = seconds(1_000_000_000, 42, 500) - 16.0;
        assert!((0.126 + 0.252 - 0.059..0.126 + 0.252).contains(&fixed), "{fixed}");
        // A small transfer ends before the link is full.
        assert!((0.2..0.4).contains(&seconds(1_000_000, 42, 1_000)));
    }

    #[test]
    fn more_bytes_never_take_less_and_a_faster_link_never_more() {
        let sizes: Vec<u64> = (0..24).map(|power| 1_000 << power).collect();
        for trip in [0, 2_000, 25_000, 300_000] {
            for mbit in [1, 10, 100, 1_000, 10_000] {
                let times: Vec<_> =
                    sizes.iter().map(|&bytes| micros(bytes, trip, mbit * 1_000_000)).collect();
                assert!(times.is_sorted(), "{trip} us, {mbit} Mbit/s: {times:?}");
                let faster = sizes.iter().map(|&bytes| micros(bytes, trip, mbit * 2_000_000));
                for (slow, fast) in times.iter().zip(faster) {
                    assert!(fast <= *slow, "{trip} us, {mbit} Mbit/s");
                }
            }
        }
    }
}
