use super::*;
use proptest::prelude::*;
use suanpan_sched::packing::WHOLE_GPU;

const PODS: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,\
    creation_time,deletion_time,scheduled_time\n";

fn pod(line: &str) -> Result<OpenbPod, Problem> {
    let text = format!("{PODS}{line}\n");
    parse_pods("pods.csv", &text, Strictness::Strict).map(|imported| imported.items[0].clone())
}

#[test]
fn a_pod_line_is_read_with_its_quirks() {
    let read = pod("p-1,12000,16384,1,460,V100M16|V100M32|,LS,Running,5,12537496,7.0");
    let read = read.expect("a good line");
    assert_eq!((read.cpu_milli, read.memory_mib, read.gpus), (12_000, 16_384, GpuAsk::Share(460)));
    assert_eq!(read.models, ["V100M16", "V100M32"]);
    assert_eq!((read.created, read.deleted, read.scheduled), (5, Some(12_537_496), Some(7)));
    let gpus = |line| pod(line).expect("a good line").gpus;
    assert_eq!(gpus("p,1,1,0,,,BE,Pending,0,,"), GpuAsk::None);
    assert_eq!(gpus("p,1,1,0,1000,G2,BE,Pending,0,,"), GpuAsk::None);
    assert_eq!(gpus("p,1,1,8,1000,,BE,Pending,0,,"), GpuAsk::Whole(8));
    assert_eq!(gpus("p,1,1,1,1200,,BE,Pending,0,,"), GpuAsk::Whole(1));
    let pending = pod("p,1,1,0,,,BE,Pending,,,").expect("a pod that never ran");
    assert_eq!((pending.created, pending.deleted, pending.scheduled), (0, None, None));
}

#[test]
fn a_bad_line_is_told_by_line_and_field() {
    let told = |line: &str| pod(line).expect_err("a bad line").to_string();
    for (line, field, expected) in [
        ("p,x,1,0,,,,,0,,", "cpu_milli is `x`", "a whole number from 0 to 4294967295"),
        ("p,1,-1,0,,,,,0,,", "memory_mib is `-1`", "a whole number from 0 to 4294967295"),
        ("p,1,1,17,1000,,,,0,,", "num_gpu is `17`", "a whole number from 0 to 16"),
        ("p,1,1,1,,,,,0,,", "gpu_milli is ``", "a whole number, 0 or more"),
        ("p,1,1,1,0,,,,0,,", "gpu_milli is `0`", "more than 0, as the pod asks GPUs"),
        ("p,1,1,2,500,,,,0,,", "gpu_milli is `500`", "1000: a share is of one GPU"),
        ("p,1,1,0,,,,,soon,,", "creation_time is `soon`", "whole seconds, or nothing"),
        (",1,1,0,,,,,0,,", "name is ``", "a name"),
        ("p,1,1,0", "line is `p,1,1,0`", "11 fields, as in the header"),
    ] {
        assert_eq!(told(line), format!("pods.csv:2: {field}: expected {expected}"));
    }
}

#[test]
fn lenient_reading_leaves_bad_lines_out_and_counts_them() {
    let text = "\u{feff}gpu,sn,cpu_milli,memory_mib,model,rack\r\n8,a,1,1,G2,x\r\n\r\n\
        1,b,1,1,,x\r\n0,c,1,1,,x\r\n";
    let imported = parse_nodes("nodes.csv", text, Strictness::Skip).expect("the header is good");
    let names: Vec<&str> = imported.items.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(imported.skipped.count, 1);
    let problem = imported.skipped.first[0].to_string();
    assert_eq!(problem, "nodes.csv:4: model is ``: expected a model, as the node has GPUs");
}

#[test]
fn a_missing_column_ends_the_import() {
    let problem = parse_nodes("nodes.csv", "", Strictness::Skip).expect_err("no header");
    assert_eq!(problem.to_string(), "nodes.csv: header is ``: expected a column `sn`");
    let lists_without_models = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1,2,1,50\n";
    let imported = parse_pods("pods.csv", lists_without_models, Strictness::Strict);
    assert_eq!(imported.expect("gpu_spec may be missing").items[0].models, [""; 0]);
}

#[test]
fn models_that_no_node_has_fit_no_node() {
    let nodes = "sn,cpu_milli,memory_mib,gpu,model\na,1000,1000,1,G2\n";
    let nodes = parse_nodes("nodes.csv", nodes, Strictness::Strict).expect("a node").items;
    let models = Models::of(&nodes);
    let request = |line| models.request(&pod(line).expect("a good line"));
    let node = models.node(&nodes[0]);
    assert!(node.fits(&request("p,1,1,1,100,G2|T4,,,0,,")));
    assert!(!node.fits(&request("p,1,1,1,100,T4,,,0,,")));
    assert!(node.fits(&request("p,1,1,1,100,,,,0,,")));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        text in "\\PC*",
        lines in prop::collection::vec("[-0-9a-z|,. ]{0,40}", 0..20),
    ) {
        for body in [text, format!("{PODS}{}", lines.join("\n"))] {
            let _ = parse_pods("pods", &body, Strictness::Skip);
            let _ = parse_nodes("nodes", &body, Strictness::Strict);
        }
    }

    #[test]
    fn draws_reach_the_demand_and_keep_the_nodes(
        shares in prop::collection::vec(1u16..999, 1..30), gpus in 1usize..9, seed in any::<u32>(),
    ) {
        let request = |share| PodRequest {
            cpu_milli: 1, memory_mib: 1, gpus: GpuAsk::Share(share), models: ModelSet::ANY,
        };
        let pods: Vec<PodRequest> = shares.into_iter().map(request).collect();
        let nodes = vec![Node::new(1, 1, gpus, None).expect("few GPUs"); 3];
        let drawn = draw(&nodes, &pods, 130, &mut GoRandom::new(seed));
        let asked: u64 = drawn.pods.iter().map(|pod| u64::from(pod.gpus.milli())).sum();
        let aim = 3 * gpus as u64 * u64::from(WHOLE_GPU) * 130 / 100;
        prop_assert!(asked <= aim && asked + u64::from(WHOLE_GPU) > aim, "{} of {}", asked, aim);
        prop_assert_eq!(drawn.nodes, nodes);
    }
}
