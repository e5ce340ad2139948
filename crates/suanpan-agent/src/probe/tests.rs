use super::budget::{Budget, period};
use super::meter::{Pings, Soon, Told, Watch};
use super::rate;
use std::time::Duration;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn no_hour_has_more_than_the_budget_and_what_was_not_needed_is_given_back() {
    let budget = Budget::default();
    assert!(!budget.take(s(0), 1), "nothing is moved before a budget is set");
    budget.set(1000);
    assert!(budget.take(s(10), 600) && !budget.take(s(11), 401));
    budget.give_back(200);
    assert!(budget.take(s(12), 600) && !budget.take(s(3599), 1));
    assert!(!budget.take(s(3600), 1), "the first minute is still within the hour");
    assert!(budget.take(s(3661), 1000));
    let often = period(s(8), 256 << 10, 3, 2 << 30, 2);
    assert_eq!(often, s(8));
    assert_eq!(period(s(8), 256 << 10, 3, 100 << 20, 2), s(54));
}

fn window(pings: &mut Pings, from: u64, took: impl Fn(u64) -> Option<u64>) -> Option<Told> {
    let mut last = None;
    for turn in 0..20 {
        let at = s(from) + ms(500) * u32::try_from(turn).expect("small");
        pings.add(at, took(turn).map(ms));
        last = pings.tell(at).or(last);
    }
    last
}

#[test]
fn a_window_tells_quantiles_and_what_came_late_as_lost() {
    let mut pings = Pings::default();
    let told =
        window(&mut pings, 0, |turn| (turn != 4).then_some(if turn == 7 { 300 } else { 30 }));
    let told = told.expect("a window");
    assert_eq!(told.round_trip, Some([ms(30), ms(300)]));
    assert_eq!(told.loss_ppm, 2 * 1_000_000 / told.count as u64);
    let mut silent = Pings::default();
    let told = window(&mut silent, 0, |_| None).expect("a window");
    assert_eq!((told.round_trip, told.loss_ppm), (None, 1_000_000));
    assert!(!silent.is_answering());
}

#[test]
fn a_steady_rate_is_that_after_the_window_has_grown() {
    // Doubles for 200 ms, then 1 MB each 10 ms: 800 Mbit/s.
    let mut arrivals = vec![(15_000, ms(30)), (45_000, ms(60)), (105_000, ms(90))];
    arrivals.extend((1..=30u64).map(|n| (105_000 + n * 1_000_000, ms(200 + n * 10))));
    let rate = rate::steady(&arrivals).expect("enough arrivals");
    assert!((790_000_000..=810_000_000).contains(&rate), "{rate}");
    assert_eq!(rate::steady(&arrivals[..2]), None);
    assert_eq!(rate::steady(&[]), None);
}

#[test]
fn a_train_tells_rates_apart_that_pings_do_not() {
    // Flights of a growing window, each drawn out by the bottleneck.
    let train = |mbit: u64| {
        let mut arrivals = Vec::new();
        let mut bytes = 0;
        for (flight, size) in [15_000u64, 30_000, 60_000, 120_000].into_iter().enumerate() {
            for part in 1..=5 {
                bytes += size / 5;
                let drawn = Duration::from_micros(size / 5 * part * 8 / mbit);
                arrivals.push((bytes, ms(30) * u32::try_from(flight).expect("small") + drawn));
            }
        }
        rate::train(&arrivals, ms(30)).expect("a rate")
    };
    let (fast, slow) = (train(500), train(50));
    assert!(fast > 4 * slow, "{fast} {slow}");
    // So slow a link that packets come alone: 1,448 bytes each 4.6 ms.
    let packet = |n: u64| (n * 1448, Duration::from_micros(4634 * n));
    let alone: Vec<_> = (1..=180).map(packet).collect();
    let rate = rate::train(&alone, ms(10)).expect("a rate");
    assert!((2_450_000..=2_550_000).contains(&rate), "{rate}");
    assert_eq!(rate::train(&[], ms(30)), None);
    // What lay in a buffer and was read at once.
    let at_once: Vec<_> = (1..=16u64).map(|part| (part * 16_384, ms(40))).collect();
    assert_eq!(rate::train(&at_once, ms(30)), None);
}

/// The throughput is known and nothing is to be done.
fn settled() -> Watch {
    let mut watch = Watch::default();
    assert!(watch.is_due(s(0), s(600)), "nothing is known");
    watch.measured(s(1), Some(500));
    assert!(watch.is_due(s(2), s(600)), "the first is confirmed");
    watch.measured(s(3), Some(500));
    watch.window(s(2), &quiet(30));
    assert!(!watch.is_due(s(100), s(600)));
    watch
}

fn quiet(median: u64) -> Told {
    Told { round_trip: Some([ms(median), ms(median)]), loss_ppm: 0, count: 20 }
}

#[test]
fn two_odd_trains_make_it_measure_and_one_does_not() {
    let mut watch = settled();
    for turn in 0..5 {
        assert_eq!(watch.train(s(10 + turn), 300), Soon::No);
    }
    assert_eq!(watch.train(s(20), 30), Soon::Yes);
    assert_eq!(watch.train(s(21), 280), Soon::No);
    assert!(!watch.is_due(s(21), s(600)));
    assert_eq!(watch.train(s(30), 30), Soon::Yes);
    assert_eq!(watch.train(s(31), 33), Soon::No);
    assert!(watch.is_due(s(31), s(600)));
    // Another value wants to be confirmed at once, and then there is rest.
    watch.measured(s(33), Some(50));
    assert!(!watch.is_due(s(33), s(600)) && watch.is_due(s(34), s(600)));
    watch.measured(s(36), Some(49));
    assert!(!watch.is_due(s(60), s(600)));
}

#[test]
fn trains_that_contradict_what_is_known_count_even_without_trains_before() {
    // The link healed while nothing was remembered of its trains.
    let mut watch = Watch::default();
    watch.measured(s(1), Some(20));
    assert_eq!(watch.train(s(10), 28), Soon::No);
    assert_eq!(watch.train(s(18), 94), Soon::Yes);
    assert_eq!(watch.train(s(19), 116), Soon::No);
    assert!(watch.is_due(s(19), s(600)));
}

#[test]
fn a_window_of_few_attempts_without_an_answer_is_told() {
    let mut pings = Pings::default();
    pings.add(s(0), Some(ms(30)));
    assert_eq!(pings.tell(s(0)), None);
    pings.add(s(14), None);
    let told = pings.tell(s(16)).expect("nothing was answered");
    assert_eq!((told.round_trip, told.loss_ppm, told.count), (None, 1_000_000, 1));
}

#[test]
fn delay_loss_and_transfers_raise_doubts_and_passive_samples_spare_the_budget() {
    let mut watch = settled();
    watch.window(s(200), &quiet(33));
    assert!(!watch.is_due(s(200), s(600)));
    watch.window(s(205), &quiet(300));
    assert!(watch.is_due(s(205), s(600)));
    watch.measured(s(206), Some(490));
    watch.window(s(300), &Told { loss_ppm: 300_000, ..quiet(300) });
    assert!(watch.is_due(s(300), s(600)));
    watch.measured(s(301), Some(490));
    watch.doubt(s(400));
    assert!(watch.is_due(s(400), s(600)));
    watch.measured(s(401), Some(490));
    for minute in 1..60 {
        watch.transfer(s(401 + minute * 60), 480);
        assert!(!watch.is_due(s(402 + minute * 60), s(600)), "{minute}");
    }
    watch.transfer(s(4100), 48);
    assert!(watch.is_due(s(4100), s(600)));
    let cut = Told { round_trip: None, loss_ppm: 1_000_000, count: 20 };
    watch.measured(s(4101), Some(48));
    watch.window(s(4300), &cut);
    watch.window(s(4310), &quiet(30));
    assert!(watch.is_due(s(4310), s(600)), "what comes back may be another link");
}

#[test]
fn doubts_that_come_to_nothing_come_ever_less_often() {
    let mut watch = settled();
    let mut now = 100;
    let mut count = 0;
    while now < 1000 {
        watch.doubt(s(now));
        if watch.is_due(s(now), s(600)) {
            count += 1;
            watch.measured(s(now), Some(500));
        }
        now += 5;
    }
    assert!(count < 20, "{count}");
}
