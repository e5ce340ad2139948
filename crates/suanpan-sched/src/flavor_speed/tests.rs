use super::*;
use proptest::prelude::*;

#[test]
fn an_h100_is_twice_an_a100_before_anything_ran() {
    let speeds = FlavorSpeeds::published();
    let own = speeds.ratio("resnet50", "a100-sxm-80g", "h100-sxm-80g").expect("published");
    assert_eq!((own.source, own.jobs), (Source::Published, 0));
    assert!((2.10..2.12).contains(&own.value), "{own:?}");
    let mean = speeds.ratio("our-model", "a100-sxm-80g", "h100-sxm-80g").expect("a mean");
    assert_eq!(mean.source, Source::PublishedMean);
    assert!((1.5..5.0).contains(&mean.value), "{mean:?}");
    assert_eq!(speeds.ratio("our-model", "a100-sxm-80g", "abacus"), None);
}

#[test]
fn every_line_of_the_table_is_taken_in() {
    let lines = include_str!("mlperf_inference.csv").lines().count() - 1;
    let speeds = FlavorSpeeds::published();
    assert_eq!(speeds.published.values().map(BTreeMap::len).sum::<usize>(), lines);
    assert_eq!(lines, 208);
}

#[test]
fn own_jobs_come_before_published_results() {
    let mut speeds = FlavorSpeeds::published();
    for _ in 0..20 {
        speeds.observe("resnet50", "a100-sxm-80g", 100.0);
        speeds.observe("resnet50", "h100-sxm-80g", 150.0);
    }
    let ratio = speeds.ratio("resnet50", "a100-sxm-80g", "h100-sxm-80g").expect("observed");
    assert_eq!((ratio.source, ratio.jobs), (Source::Jobs, 20));
    assert!((ratio.value - 1.5).abs() < 1e-9);
}

#[test]
fn one_outlier_in_ten_moves_nothing() {
    let mut speeds = FlavorSpeeds::new();
    for job in 0..60 {
        speeds.observe("c", "f", if job % 10 == 0 { 1e-6 } else { 8.0 });
    }
    assert!((speeds.speed("c", "f").expect("observed").value - 8.0).abs() < 1e-9);
}

proptest! {
    #[test]
    fn an_interval_holds_its_estimate(
        a in prop::collection::vec(0.001f64..1e6, 1..100),
        b in prop::collection::vec(0.001f64..1e6, 1..100),
    ) {
        let mut speeds = FlavorSpeeds::published();
        a.iter().for_each(|&x| speeds.observe("c", "a", x));
        b.iter().for_each(|&x| speeds.observe("c", "b", x));
        let (there, back) = (
            speeds.ratio("c", "a", "b").expect("observed"),
            speeds.ratio("c", "b", "a").expect("observed"),
        );
        for speed in [there, back, speeds.speed("c", "a").expect("observed")] {
            prop_assert!(speed.low <= speed.value && speed.value <= speed.high, "{speed:?}");
            prop_assert!(speed.low > 0.0);
        }
        prop_assert!((there.value * back.value - 1.0).abs() < 1e-9);
        prop_assert_eq!(there.jobs, a.len().min(b.len()) as u64);
    }

    #[test]
    fn the_estimate_lies_among_what_was_seen(seen in prop::collection::vec(0.001f64..1e6, 1..60)) {
        let mut speeds = FlavorSpeeds::new();
        seen.iter().for_each(|&x| speeds.observe("c", "a", x));
        let value = speeds.speed("c", "a").expect("observed").value;
        let least = seen.iter().copied().fold(f64::INFINITY, f64::min);
        let most = seen.iter().copied().fold(0.0, f64::max);
        prop_assert!(least * 0.999 <= value && value <= most * 1.001);
    }

    #[test]
    fn nonsense_is_passed_over(x in prop::num::f64::ANY) {
        let mut speeds = FlavorSpeeds::new();
        speeds.observe("c", "a", x);
        let speed = speeds.speed("c", "a");
        prop_assert_eq!(speed.is_some(), x.is_finite() && x > 0.0);
    }

    #[test]
    fn many_equal_jobs_narrow_the_interval(n in 6usize..63) {
        let mut speeds = FlavorSpeeds::new();
        (0..n).for_each(|_| speeds.observe("c", "a", 3.0));
        let few = speeds.speed("c", "a").expect("observed");
        prop_assert!(few.high / few.low <= 4.0f64.powf(1.01 / (n as f64).sqrt()) + 1e-9);
    }
}
