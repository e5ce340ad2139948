use super::*;
use suanpan_model::network::{Metric, Origin, Statistic, Taken};
use suanpan_model::time::Seconds;

fn sample(from: &str, to: &str, metric: Metric, value: u64, at_s: i64) -> Sample {
    let statistic = if metric == Metric::RoundTrip { Statistic::P50 } else { Statistic::Mean };
    Sample {
        from: from.into(),
        to: to.into(),
        metric,
        statistic,
        value,
        at: Timestamp(at_s * 1_000_000),
        window: Seconds(10),
        bytes: 0,
        taken: Taken::Actively,
    }
}

fn known() -> Known {
    let names = ["a", "b", "c"];
    let link = Declared { round_trip_us: 40_000, throughput_bps: 1_000_000_000 };
    Known {
        site: Some("a".into()),
        sites: names.map(str::to_owned).into(),
        declared: [(("b".to_owned(), "c".to_owned()), link)].into(),
        links: BTreeMap::new(),
    }
}

#[test]
fn samples_become_estimates_and_what_is_declared_stands_in() {
    let desk = LinkDesk::new(LinkOptions::default());
    let samples = [
        sample("b", "a", Metric::RoundTrip, 30_000, 1),
        sample("b", "a", Metric::Throughput, 500_000_000, 2),
        sample("hub", "a", Metric::RoundTrip, 9_000, 1),
        sample("gone", "a", Metric::RoundTrip, 9_000, 1),
    ];
    let mut known = known();
    let changes = desk.fold(&samples, &known, Timestamp(3_000_000));
    let told: Vec<(&str, &str)> =
        changes.iter().map(|one| (one.from.as_str(), one.to.as_str())).collect();
    assert_eq!(told, [("b", "a"), ("b", "c")], "of hub's the throughput is not known");
    let measured = changes[0].estimate.expect("an estimate");
    assert_eq!((measured.delay_from, measured.throughput_bps), (Origin::Measured, 500_000_000));
    assert_eq!(changes[1].estimate.expect("declared").delay_from, Origin::Declared);
    // Told once only; and gone when the site goes.
    let link = |change: &LinkChange| {
        ((change.from.clone(), change.to.clone()), change.estimate.expect("an estimate"))
    };
    known.links = changes.iter().map(link).collect();
    assert_eq!(desk.fold(&samples, &known, Timestamp(4_000_000)), []);
    known.sites.remove("b");
    desk.lock().looked = None;
    let changes = desk.fold(&[], &known, Timestamp(5_000_000));
    assert!(changes.iter().all(|change| change.estimate.is_none()) && changes.len() == 2);
}
