//! The openb gate in short: published runs on the default list, number for number. The whole is
//! `cargo xtask gate openb`.

mod data;

use std::path::Path;
use suanpan_sched::packing::PolicyName;
use suanpan_sim::input;
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::packing::Study;
use suanpan_sim::workload::openb;

fn study(folder: &Path, list: &str) -> Study {
    let text = |name: &str| {
        let bytes = input::read(&folder.join(name)).expect("the file is there");
        String::from_utf8(bytes).expect("the file is text")
    };
    let name = "openb_node_list_gpu_node.csv";
    let nodes = openb::parse_nodes(name, &text(name), Strictness::Strict).expect("good lines");
    let name = format!("openb_pod_list_{list}.csv.zst");
    let pods = openb::parse_pods(&name, &text(&name), Strictness::Strict).expect("good lines");
    Study::new(&nodes.items, &pods.items)
}

/// Unallocated GPU in percent when 130 % has been asked, seeds 42 and 43, from the authors'
/// results; and how far ours may be off. Random draws other numbers than theirs: it is held to
/// what any seed gives.
const PUBLISHED: [(PolicyName, [f64; 2], f64); 6] = [
    (PolicyName::Random, [12.74, 11.97], 1.5),
    (PolicyName::DotProd, [9.46, 9.16], 0.0051),
    (PolicyName::GpuClustering, [8.47, 8.03], 0.0051),
    (PolicyName::GpuPacking, [8.43, 7.94], 0.0051),
    (PolicyName::BestFit, [6.87, 6.75], 0.0051),
    (PolicyName::Fgd, [4.71, 4.68], 0.0051),
];

#[test]
fn published_runs_come_out_number_for_number_and_ours_leaves_less_than_fgd() {
    let Some(folder) = data::find("openb") else { return };
    let study = study(&folder, "default");
    for (place, seed) in [42, 43].into_iter().enumerate() {
        let unallocated = |name| {
            let outcome = study.run(name, seed);
            outcome.at(Study::DEMAND).expect("demand came").unallocated()
        };
        for (name, published, tolerance) in PUBLISHED {
            let (ours, theirs) = (unallocated(name), published[place]);
            assert!((ours - theirs).abs() <= tolerance, "{} {seed}: {ours}", name.word());
        }
        let ours = unallocated(PolicyName::LeastWaste);
        assert!(ours < PUBLISHED[5].1[place] - 0.3, "LeastWaste {seed}: {ours}");
    }
}

#[test]
fn every_public_list_is_read_without_a_bad_line() {
    let Some(folder) = data::find("openb") else { return };
    let mut lists = 0;
    for entry in std::fs::read_dir(&folder).expect("the folder is there") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        let Some(rest) = name.strip_prefix("openb_pod_list_") else { continue };
        let list = rest.strip_suffix(".csv.zst").expect("lists are packed");
        let _ = study(&folder, list);
        lists += 1;
    }
    assert_eq!(lists, 23);
}
