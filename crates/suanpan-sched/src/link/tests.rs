use super::*;
use suanpan_model::network::Taken;
use suanpan_model::time::Seconds;

/// A link that is sampled as agents do it: pings every 5 s, throughput now and then.
struct World {
    samples: Samples,
    believed: Option<LinkEstimate>,
    declared: Option<Declared>,
    now_s: i64,
    told: u32,
}

impl World {
    fn new() -> World {
        World { samples: Samples::default(), believed: None, declared: None, now_s: 0, told: 0 }
    }

    fn sample(&mut self, metric: Metric, statistic: Statistic, value: u64) {
        self.samples.add(&Sample {
            from: "a".into(),
            to: "b".into(),
            metric,
            statistic,
            value,
            at: Timestamp(self.now_s * 1_000_000),
            window: Seconds(10),
            bytes: 0,
            taken: Taken::Actively,
        });
    }

    fn pings(&mut self, median_ms: u64, loss_ppm: u64) {
        self.now_s += 5;
        if loss_ppm < NOTHING {
            self.sample(Metric::RoundTrip, Statistic::P50, median_ms * 1000);
            self.sample(Metric::RoundTrip, Statistic::P99, median_ms * 1500);
        }
        self.sample(Metric::Loss, Statistic::Mean, loss_ppm);
        self.fold();
    }

    fn bulk(&mut self, mbit: u64) {
        self.now_s += 1;
        self.sample(Metric::Throughput, Statistic::Mean, mbit * 1_000_000);
        self.fold();
    }

    fn fold(&mut self) {
        let now = Timestamp(self.now_s * 1_000_000);
        let found = estimate(&self.samples, self.believed.as_ref(), self.declared, None, now);
        self.told += u32::from(found != self.believed);
        self.believed = found;
    }

    fn mbit(&self) -> u64 {
        self.believed.expect("something is believed").throughput_bps / 1_000_000
    }

    fn median_ms(&self) -> u32 {
        self.believed.expect("something is believed").round_trip_us / 1000
    }
}

#[test]
fn the_first_samples_are_believed_and_noise_is_not_told() {
    let mut world = World::new();
    world.pings(30, 0);
    assert_eq!(world.believed, None, "nothing is known of the throughput");
    world.bulk(400);
    assert_eq!((world.median_ms(), world.mbit(), world.told), (30, 400, 1));
    // Up to a quarter up and down for ten minutes, and sometimes a lost ping or a slow transfer.
    for round in 0u64..120 {
        world.pings(27 + (round * 7) % 8, if round % 9 == 0 { 50_000 } else { 0 });
        if round % 10 == 0 {
            world.bulk(if round % 40 == 0 { 150 } else { 330 + (round * 13) % 140 });
        }
    }
    assert_eq!((world.median_ms(), world.mbit(), world.told), (30, 400, 1));
}

#[test]
fn a_second_throughput_replaces_a_first_that_was_lower() {
    let mut world = World::new();
    world.pings(30, 0);
    world.bulk(18);
    assert_eq!(world.mbit(), 18);
    world.bulk(24);
    assert_eq!(world.mbit(), 24);
    // From then on a change wants more than one sample.
    world.bulk(18);
    assert_eq!(world.mbit(), 24);
}

#[test]
fn a_step_is_told_when_it_is_confirmed_and_so_is_the_way_back() {
    let mut world = World::new();
    world.pings(30, 0);
    world.bulk(500);
    world.bulk(50);
    assert_eq!(world.mbit(), 500, "one sample may be anything");
    world.bulk(48);
    assert_eq!(world.mbit(), 49);
    world.bulk(500);
    world.bulk(480);
    assert_eq!(world.mbit(), 490);
    world.pings(300, 0);
    assert_eq!(world.median_ms(), 30);
    world.pings(300, 0);
    assert_eq!(world.median_ms(), 300);
    for _ in 0..2 {
        world.pings(300, 400_000);
    }
    assert_eq!(world.believed.expect("believed").loss_ppm, 400_000);
}

#[test]
fn a_drift_is_told_after_a_minute() {
    let mut world = World::new();
    world.pings(30, 0);
    world.bulk(500);
    let began = world.now_s;
    while world.median_ms() == 30 {
        world.pings(42, 0);
        assert!(world.now_s - began < 90, "it is told in the end");
    }
    assert!(world.now_s - began >= 60, "{}", world.now_s - began);
    assert_eq!(world.median_ms(), 42);
}

#[test]
fn a_cut_is_a_throughput_of_nothing_until_it_heals() {
    let mut world = World::new();
    for _ in 0..3 {
        world.pings(30, 0);
    }
    world.bulk(500);
    world.pings(0, NOTHING);
    assert_eq!(world.mbit(), 500, "one window may be a restart");
    world.pings(0, NOTHING);
    assert_eq!(world.mbit(), 0);
    world.pings(30, 300_000);
    assert_eq!(world.mbit(), 0);
    world.pings(30, 0);
    assert_eq!((world.mbit(), world.median_ms()), (500, 30));
}

#[test]
fn what_was_not_measured_is_declared_and_what_was_is_kept_over_a_gap() {
    let mut world = World::new();
    world.declared = Some(Declared { round_trip_us: 36_000, throughput_bps: 1_000_000_000 });
    world.fold();
    let declared = world.believed.expect("the declaration");
    assert_eq!(
        (declared.delay_from, declared.throughput_from),
        (Origin::Declared, Origin::Declared)
    );
    world.pings(30, 0);
    let mixed = world.believed.expect("measured delay");
    assert_eq!((mixed.delay_from, mixed.throughput_from), (Origin::Measured, Origin::Declared));
    world.bulk(500);
    // The server restarts: its samples are gone, what it believed is in the journal.
    world.samples = Samples::default();
    world.now_s += 3600;
    let before = world.believed;
    world.fold();
    assert_eq!(world.believed, before);
    let other = estimate(&Samples::default(), None, world.declared, before.as_ref(), Timestamp(1));
    let other = other.expect("the delay of the other direction");
    assert_eq!((other.delay_from, other.round_trip_us), (Origin::Derived, 30_000));
}
