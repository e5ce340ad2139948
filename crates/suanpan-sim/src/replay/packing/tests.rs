use super::*;
use suanpan_model::time::Seconds;
use suanpan_sched::packing::{GpuAsk, ModelSet};

fn request(gpus: GpuAsk) -> PodRequest {
    PodRequest { cpu_milli: 1_000, memory_mib: 1_024, gpus, models: ModelSet::ANY }
}

fn node(gpus: usize) -> Node {
    Node::new(8_000, 8_192, gpus, None).expect("few GPUs")
}

fn table(pods: &[PodRequest]) -> FragmentTable {
    FragmentTable::new(&TypicalPods::of(pods, 100))
}

#[test]
fn a_small_run_by_hand() {
    let pods = [GpuAsk::Share(600), GpuAsk::Whole(1), GpuAsk::Share(600), GpuAsk::None];
    let pods = pods.map(request);
    let outcome = run(vec![node(2)], Policy::BestFit, &table(&pods), &pods, &mut || 0);
    let placed: Vec<bool> = outcome.placements.iter().map(Option::is_some).collect();
    assert_eq!(placed, [true, true, false, true]);
    let demands: Vec<u32> = outcome.curve.iter().map(|point| point.demand).collect();
    assert_eq!(demands, [30, 80, 110]);
    // 400 of 2,000 are idle; no typical pod that asks a GPU fits there.
    let last = outcome.at(200).expect("there is a last point");
    assert_eq!((last.allocated, last.unallocated()), (80.0, 20.0));
    assert_eq!((last.fragmented, last.fragmented_of_idle), (20.0, 100.0));
    // After the first pod: half of the typical pods ask 600, a quarter 1,000, a quarter no GPU.
    // Of 1,400 idle, 400 is of no use to anyone, 1,000 to all but the last quarter.
    assert!((outcome.curve[0].fragmented - (400.0 + 250.0) / 20.0).abs() < 1e-9);
}

#[test]
fn an_empty_run_has_an_empty_curve() {
    let outcome = run(Vec::new(), Policy::Random, &table(&[]), &[], &mut || 0);
    assert_eq!((outcome.placements.len(), outcome.at(130)), (0, None));
    let no_room = [request(GpuAsk::Whole(1))];
    let outcome = run(Vec::new(), Policy::Random, &table(&no_room), &no_room, &mut || 0);
    assert_eq!(outcome.placements, [None]);
}

#[test]
fn pods_leave_before_others_come() {
    let arrival = |id, at, gpus, duration: Option<u64>| Arrival {
        at: Timestamp(0).plus(Seconds(at)),
        pod: Pod { id: PodId(id), request: request(gpus), duration: duration.map(Seconds) },
    };
    let arrivals = [
        arrival(1, 0, GpuAsk::Whole(2), Some(10)),
        arrival(2, 1, GpuAsk::Whole(1), Some(5)),
        arrival(3, 2, GpuAsk::Whole(2), None),
        arrival(4, 10, GpuAsk::Whole(1), Some(1)),
        arrival(5, 11, GpuAsk::Share(1), Some(1)),
    ];
    let starts = run_timed(vec![node(2)], Policy::BestFit, &arrivals, &mut || 0);
    let told: Vec<(u64, u64)> = starts
        .iter()
        .map(|running| (running.pod.id.0, running.start.since(Timestamp(0)).0))
        .collect();
    assert_eq!(told, [(1, 0), (2, 10), (4, 10), (5, 11), (3, 15)]);
}

fn list(rows: &[(&str, u32, &str, &str, &str)]) -> Vec<OpenbPod> {
    let mut text = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec\n".to_owned();
    for (name, cpu, gpus, milli, models) in rows {
        text.push_str(&format!("{name},{cpu},1024,{gpus},{milli},{models}\n"));
    }
    openb::parse_pods("pods", &text, crate::problem::Strictness::Strict).expect("rows").items
}

#[test]
fn equal_seeds_give_equal_runs_and_every_policy_packs() {
    let nodes = "sn,cpu_milli,memory_mib,gpu,model\n\
        a,64000,65536,8,G2\nb,64000,65536,4,T4\nc,32000,65536,2,T4\nd,32000,65536,0,\n";
    let nodes = openb::parse_nodes("nodes", nodes, crate::problem::Strictness::Strict);
    let pods = list(&[
        ("p1", 2_000, "1", "470", ""),
        ("p2", 4_000, "1", "1000", "T4"),
        ("p3", 1_000, "0", "", ""),
        ("p4", 8_000, "2", "1000", "G2|V100"),
        ("p5", 1_000, "1", "530", ""),
    ]);
    let study = Study::new(&nodes.expect("nodes").items, &pods);
    for name in PolicyName::ALL {
        let outcome = study.run(name, 42);
        assert_eq!(outcome, study.run(name, 42), "{}", name.word());
        assert_ne!(outcome.placements, study.run(name, 43).placements, "{}", name.word());
        let last = outcome.at(Study::DEMAND).expect("demand came");
        assert!(last.demand >= 120 && last.allocated > 50.0, "{} {last:?}", name.word());
    }
}
