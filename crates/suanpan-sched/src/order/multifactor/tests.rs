use super::{Factor, Factors, Favor, Parts, Size, Weights, age, job_size, tres, weigh};
use proptest::prelude::*;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

fn factor(millionths: u64) -> Factor {
    Factor::of(millionths, 1_000_000)
}

/// A calculation as Slurm's controller logged it, published by a computing center: weights 16800,
/// 25000, 10000, 30000 and 25000, nice 2500, sum 32752.49.
#[test]
fn a_published_calculation_comes_out() {
    let weights = Weights {
        age: 16_800,
        fair_share: 25_000,
        job_size: 10_000,
        partition: 30_000,
        qos: 25_000,
        ..Weights::default()
    };
    let factors = Factors {
        age: factor(251_721),
        fair_share: factor(42_337),
        job_size: factor(996_510),
        partition: factor(666_667),
        nice: 2_500,
        ..Factors::default()
    };
    let parts = weigh(&weights, &factors);
    assert_eq!(parts.age / 1_000_000, 4_228_912);
    assert_eq!(parts.fair_share / 1_000_000, 1_058_425);
    assert_eq!(parts.job_size / 1_000_000, 9_965_100);
    assert_eq!(parts.partition / 1_000_000, 20_000_010);
    assert_eq!(parts.priority(), 32_752);
}

/// The manual: fair-share factors .59534 and .50002 are the same with a weight of 10 ("both jobs
/// would have the same fair-share priority").
#[test]
fn small_weights_hide_differences() {
    let priority = |weight, millionths| {
        let weights = Weights { fair_share: weight, ..Weights::default() };
        let fair_share = factor(millionths);
        weigh(&weights, &Factors { fair_share, ..Factors::default() }).priority()
    };
    assert_eq!(priority(10, 595_340), priority(10, 500_020));
    assert_eq!(priority(1_000, 595_340), 595);
    assert_eq!(priority(1_000, 500_020), 500);
}

#[test]
fn age_grows_until_it_counts_fully() {
    let week = Seconds(7 * 24 * 3_600);
    let at = |seconds| Timestamp(9).plus(Seconds(seconds));
    assert_eq!(age(at(0), at(0), week), Factor::ZERO);
    assert_eq!(age(at(0), at(week.0 / 2), week), factor(500_000));
    assert_eq!(age(at(0), at(week.0 * 2), week), Factor::ONE);
    assert_eq!(age(at(5), at(0), week), Factor::ZERO, "not eligible yet");
}

#[test]
fn the_whole_machine_is_the_largest_job() {
    let size = |nodes: u64, minutes: u64| Size {
        nodes,
        cpus: nodes * 16,
        time: Seconds(minutes * 60),
        nodes_there: 100,
        cpus_there: 1_600,
    };
    assert_eq!(job_size(Favor::Large, &size(100, 60)), Factor::ONE);
    assert_eq!(job_size(Favor::Large, &size(1, 60)), factor(10_000));
    assert_eq!(job_size(Favor::Small, &size(100, 60)), Factor::ZERO);
    assert_eq!(job_size(Favor::Small, &size(1, 60)), factor(990_000));
    assert_eq!(job_size(Favor::LargeForItsTime, &size(100, 1)), Factor::ONE);
    assert_eq!(job_size(Favor::LargeForItsTime, &size(100, 100)), factor(10_000));
}

#[test]
fn tres_factors_are_shares_of_the_partition() {
    let node = Tres { cpus: 8, memory: Mebibytes::new(1_000), gpus: 1 };
    let there = Tres { cpus: 64, memory: Mebibytes::new(8_000), gpus: 0 };
    assert_eq!(tres(&node, 4, &there), [factor(500_000), factor(500_000), Factor::ZERO]);
}

#[test]
fn a_job_that_may_start_has_at_least_one_point() {
    let low = Factors { nice: i32::MAX, ..Factors::default() };
    assert_eq!(weigh(&Weights::default(), &low).priority(), 1);
    let high = Factors { site: i64::MAX, nice: i32::MIN, ..Factors::default() };
    assert_eq!(weigh(&Weights::default(), &high).priority(), super::PRIORITY_MAX);
}

proptest! {
    #[test]
    fn no_factor_takes_priority_away(parts in prop::array::uniform7(0u64..1 << 60), more: u32) {
        let [age, association, fair_share, job_size, partition, qos, tres] = parts;
        let one = Parts {
            age, association, fair_share, job_size, partition, qos, tres, site: 0, nice: 0,
        };
        let other = Parts { fair_share: fair_share + u64::from(more), ..one };
        prop_assert!(other.priority() >= one.priority());
        prop_assert!((1..=super::PRIORITY_MAX).contains(&one.priority()));
    }
}
