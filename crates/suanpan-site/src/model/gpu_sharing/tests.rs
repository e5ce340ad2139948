use super::*;
use proptest::prelude::*;
use suanpan_sched::packing::{GpuAsk, GpuSet, ModelSet};

fn request(gpus: GpuAsk) -> PodRequest {
    PodRequest { cpu_milli: 1_000, memory_mib: 1_024, gpus, models: ModelSet::ANY }
}

fn pod(id: u64, gpus: GpuAsk, duration: u64) -> Pod {
    Pod { id: PodId(id), request: request(gpus), duration: Some(Seconds(duration)) }
}

fn site(gpus: usize) -> GpuSharingSite {
    let node = Node::new(64_000, 65_536, gpus, None).expect("few GPUs");
    GpuSharingSite::new(vec![node], Policy::BestFit, Unplaced::Waits)
}

fn at(seconds: u64) -> Timestamp {
    Timestamp(0).plus(Seconds(seconds))
}

fn ids(started: &[Running]) -> Vec<u64> {
    started.iter().map(|running| running.pod.id.0).collect()
}

#[test]
fn pods_that_wait_start_in_the_order_they_came_when_they_fit() {
    let mut site = site(2);
    let mut zero = || 0;
    assert!(site.submit(at(0), pod(1, GpuAsk::Whole(2), 10), &mut zero).is_some());
    for (id, gpus) in [(2, GpuAsk::Whole(2)), (3, GpuAsk::Share(600)), (4, GpuAsk::Whole(1))] {
        assert_eq!(site.submit(at(1), pod(id, gpus, 5), &mut zero), None);
    }
    assert_eq!(ids(&site.end(at(10), PodId(1), &mut zero)), [2]);
    assert_eq!(ids(&site.end(at(15), PodId(2), &mut zero)), [3, 4]);
    assert_eq!((site.waiting(), site.running().count()), (0, 2));
    assert_eq!(ids(&site.end(at(16), PodId(99), &mut zero)), Vec::<u64>::new());
}

#[test]
fn a_pod_that_fits_nowhere_is_turned_away_where_none_wait() {
    let node = Node::new(64_000, 65_536, 1, None).expect("one GPU");
    let mut site = GpuSharingSite::new(vec![node], Policy::BestFit, Unplaced::TurnedAway);
    assert_eq!(site.submit(at(0), pod(1, GpuAsk::Whole(2), 1), &mut || 0), None);
    assert_eq!(site.waiting(), 0);
}

#[test]
fn a_live_state_is_taken_in_and_says_when_a_pod_would_start() {
    let mut site = site(1);
    let running = |id, share, start, duration| Running {
        pod: pod(id, GpuAsk::Share(share), duration),
        placement: Placement { node: 0, gpus: GpuSet::one(0) },
        start: at(start),
    };
    assert!(site.load_running(running(1, 600, 0, 100)));
    assert!(site.load_running(running(2, 400, 0, 50)));
    assert!(!site.load_running(running(3, 100, 0, 50)), "there is no room");
    assert!(!site.load_running(running(1, 0, 0, 50)), "it is there already");
    site.load_waiting(pod(4, GpuAsk::Share(300), 500));
    let ask = |share| site.predict(at(10), pod(9, GpuAsk::Share(share), 1), &mut || 0);
    assert_eq!(ask(100), Some(at(50)), "beside the pod that waits");
    assert_eq!(ask(200), Some(at(100)));
    assert_eq!(ask(800), Some(at(550)), "after the pod that waits");
    let never = site.predict(at(10), pod(9, GpuAsk::Whole(2), 1), &mut || 0);
    assert_eq!(never, None);
}

proptest! {
    #[test]
    fn no_pod_that_fits_waits(
        pods in prop::collection::vec((0u8..4, 1u64..20, 1u64..50), 1..60),
    ) {
        let mut site = site(3);
        let mut zero = || 0;
        let mut now = 0;
        let mut ends: std::collections::BTreeSet<(u64, PodId)> = std::collections::BTreeSet::new();
        for (id, (kind, gap, duration)) in (0..).zip(pods) {
            let gpus = match kind {
                0 => GpuAsk::None,
                1 => GpuAsk::Share(400),
                2 => GpuAsk::Share(700),
                _ => GpuAsk::Whole(2),
            };
            now += gap;
            while let Some(&(end, pod)) = ends.first().filter(|(end, _)| *end <= now) {
                ends.pop_first();
                for started in site.end(at(end), pod, &mut zero) {
                    let duration = started.pod.duration.expect("each has one");
                    ends.insert((end + duration.0, started.pod.id));
                }
            }
            if site.submit(at(now), pod(id, gpus, duration), &mut zero).is_some() {
                ends.insert((now + duration, PodId(id)));
            }
            for waiting in site.waiting.keys() {
                prop_assert!(!site.nodes().iter().any(|node| node.fits(waiting)));
            }
        }
    }
}
