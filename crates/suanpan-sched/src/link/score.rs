//! Scores of sites in the metric model of CATS (draft-ietf-cats-metric-definition): level L1, one
//! for each of four categories, and level L2, one for all. A score is a whole number from 0 to
//! 10: 0 to 3 is not recommended, 4 to 7 is optional, 8 to 10 is preferred.
//!
//! Scores of different implementations do not compare, so this is how these are made. Formula
//! `suanpan-1`, where `rtt` is the median round trip, `bps` the throughput and `loss` the share of
//! pings lost on the link to the site, `log` has base 10, and each value is cut to 0..10:
//!
//! | score | formula |
//! | --- | --- |
//! | delay | 10 (3 − log(rtt / 1 ms)) / 3: 1 ms is 10, 1 s is 0 |
//! | rate | 10 log(bps / 1 Mbit/s) / 4: 1 Mbit/s is 0, 10 Gbit/s is 10 |
//! | `communication` | (delay + rate) / 2 × (1 − min(1, 10 loss)); 0 where nothing gets through |
//! | `compute` | 10 × free share of the scarcer of CPUs and GPUs, of the nodes that are there |
//! | `service` | 10 × share of the nodes that are open; 0 while the agent is silent |
//! | `composed` | 10 × 1 h / (time to move 1 GB there + 1 h / speed of the fastest flavor) |
//! | L2 | (3 comm. + 3 compute + 2 service + 2 composed) / 10; 0 if comm. or service is |
//!
//! Each is rounded down at its end. Scheduling does not use scores but the L0 values themselves,
//! as the draft advises for decisions that matter.

use suanpan_model::network::LinkEstimate;

/// Name and version of the formula.
pub const FORMULA: &str = "suanpan-1";

/// What a site is scored by: values of level L0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The link to it; nothing for the place itself or where nothing is known.
    pub link: Option<LinkEstimate>,
    /// CPUs of its nodes, and those that are free.
    pub cpus: [u64; 2],
    /// GPUs, likewise.
    pub gpus: [u64; 2],
    /// Nodes, and those that are open to jobs.
    pub nodes: [u64; 2],
    /// Whether its agent is in contact.
    pub is_reachable: bool,
    /// Speed of its fastest flavor, thousandths.
    pub speed_milli: u32,
}

/// Scores of a site, 0 to 10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scores {
    /// L1: the network to it.
    pub communication: u8,
    /// L1: what is free.
    pub compute: u8,
    /// L1: whether it can be used.
    pub service: u8,
    /// L1: moving data there and computing on it.
    pub composed: u8,
    /// L2.
    pub overall: u8,
}

/// Scores a site by formula [`FORMULA`]. Of a place without a link nothing is known, which is the
/// worst.
#[must_use]
pub fn scores(facts: &Facts) -> Scores {
    let share = |[all, part]: [u64; 2]| if all == 0 { 0.0 } else { part as f64 / all as f64 };
    let free = match facts.gpus[0] {
        0 => share(facts.cpus),
        _ => share(facts.cpus).min(share(facts.gpus)),
    };
    let open = if facts.is_reachable { share(facts.nodes) } else { 0.0 };
    let l1 = [
        facts.link.as_ref().map_or(0.0, communication),
        10.0 * free,
        10.0 * open,
        facts.link.as_ref().map_or(0.0, |link| composed(link, facts.speed_milli)),
    ]
    .map(whole);
    let [communication, compute, service, composed] = l1;
    let sum = 3 * communication + 3 * compute + 2 * service + 2 * composed;
    let overall = if communication == 0 || service == 0 { 0 } else { sum / 10 };
    Scores { communication, compute, service, composed, overall }
}

fn communication(link: &LinkEstimate) -> f64 {
    if link.throughput_bps == 0 {
        return 0.0;
    }
    let log = |value: f64| value.max(1.0).log10();
    let delay = 10.0 * (3.0 - log(f64::from(link.round_trip_us) / 1e3)) / 3.0;
    let rate = 10.0 * log(link.throughput_bps as f64 / 1e6) / 4.0;
    let kept = 1.0 - (10.0 * f64::from(link.loss_ppm) / 1e6).min(1.0);
    (delay.clamp(0.0, 10.0) + rate.clamp(0.0, 10.0)) / 2.0 * kept
}

fn composed(link: &LinkEstimate, speed_milli: u32) -> f64 {
    if link.throughput_bps == 0 || speed_milli == 0 {
        return 0.0;
    }
    let moving = 8e9 / link.throughput_bps as f64 + f64::from(link.round_trip_us) / 1e6;
    let computing = 3600.0 * 1000.0 / f64::from(speed_milli);
    10.0 * 3600.0 / (moving + computing)
}

fn whole(score: f64) -> u8 {
    // A hair below a whole number is that number: the logarithms are not exact.
    (score.clamp(0.0, 10.0) + 1e-9).floor() as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use suanpan_model::network::Origin;
    use suanpan_model::time::Timestamp;

    fn facts(round_trip_us: u32, throughput_bps: u64, loss_ppm: u32) -> Facts {
        let link = LinkEstimate {
            round_trip_us,
            round_trip_p99_us: round_trip_us,
            loss_ppm,
            throughput_bps,
            delay_from: Origin::Measured,
            throughput_from: Origin::Measured,
            at: Timestamp(0),
        };
        Facts {
            link: Some(link),
            cpus: [100, 50],
            gpus: [0, 0],
            nodes: [10, 10],
            is_reachable: true,
            speed_milli: 1000,
        }
    }

    #[test]
    fn the_formula_gives_what_its_table_says() {
        let best = scores(&facts(1_000, 10_000_000_000, 0));
        assert_eq!((best.communication, best.compute, best.service), (10, 5, 10));
        let worst = scores(&facts(1_000_000, 1_000_000, 0));
        assert_eq!(worst.communication, 0);
        // 100 ms is 3.33, 100 Mbit/s is 5; a twentieth lost halves it.
        assert_eq!(scores(&facts(100_000, 100_000_000, 0)).communication, 4);
        assert_eq!(scores(&facts(100_000, 100_000_000, 50_000)).communication, 2);
        // 1 GB in 800 s, then an hour: 10 × 3600 / 4400.
        assert_eq!(scores(&facts(0, 10_000_000, 0)).composed, 8);
        let sum = scores(&facts(1_000, 10_000_000_000, 0));
        assert_eq!(sum.overall, (3 * 10 + 3 * 5 + 2 * 10 + 2 * sum.composed) / 10);
    }

    #[test]
    fn what_cannot_be_used_scores_nothing() {
        let cut = scores(&facts(30_000, 0, 1_000_000));
        assert_eq!((cut.communication, cut.composed, cut.overall), (0, 0, 0));
        let silent = scores(&Facts { is_reachable: false, ..facts(1_000, 1_000_000_000, 0) });
        assert_eq!((silent.service, silent.overall), (0, 0));
        let unknown = scores(&Facts { link: None, ..facts(0, 1, 0) });
        assert_eq!(unknown.overall, 0);
        let gpus = Facts { gpus: [8, 0], ..facts(1_000, 1_000_000_000, 0) };
        assert_eq!(scores(&gpus).compute, 0);
    }
}
