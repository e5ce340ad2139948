//! Communication graphs of jobs.

use suanpan_topology::fabric::Wrap;
use suanpan_topology::traffic::{Model, Parallelism, Reach, Traffic, stencil};

use super::shared;

/// The 70B-like job: rings of 8 over TP and over DP, neighbors along PP. Its weights are what 64
/// layers, 70 billion parameters and 16 micro-batches give, scaled to 2,000.
#[test]
fn the_language_model_of_the_shared_data_is_expanded_to_its_bytes() {
    let (Some(graph), Some(order)) = (
        shared("fabric/comm/llm_tp8dp8pp8_512.graph"),
        shared("fabric/comm/llm_tp8dp8pp8_512.rankorder"),
    ) else {
        return;
    };
    let order: Vec<u32> = order.split_whitespace().map(|w| w.parse().expect("a rank")).collect();
    let traffic = Traffic::parse_metis(&graph)
        .and_then(|traffic| traffic.renumbered(&order))
        .expect("the file is right");
    assert_eq!((traffic.ranks(), traffic.entries()), (512, 2 * 1472));
    let model = Model {
        layers: 64,
        hidden: 8192,
        sequence: 4096,
        parameters: 70_000_000_000,
        micro_batches: 16,
        ..Model::default()
    };
    let over = Parallelism { tensor: 8, data: 8, pipeline: 8, ..Parallelism::default() };
    let expanded = model.expand(&over).expect("it is right").traffic.both_ways();
    let most = (0..512).flat_map(|rank| expanded.peers(rank)).map(|(_, bytes)| bytes).max();
    let most = most.expect("ranks communicate") as f64;
    for rank in 0..512 {
        let scaled = |(peer, bytes)| (peer, (bytes as f64 / most * 2000.0).round() as u64);
        let ours: Vec<(u32, u64)> = expanded.peers(rank).map(scaled).collect();
        let theirs: Vec<(u32, u64)> = traffic.peers(rank).collect();
        assert_eq!(ours, theirs, "rank {rank}");
    }
}

#[test]
fn stencils_of_the_shared_data_are_the_generated_ones() {
    for (name, lengths) in [("st2d_256", &[16, 16][..]), ("st3d_512", &[8, 8, 8])] {
        let (Some(graph), Some(order)) = (
            shared(&format!("fabric/comm/{name}.graph")),
            shared(&format!("fabric/comm/{name}.rankorder")),
        ) else {
            return;
        };
        let order: Vec<u32> =
            order.split_whitespace().map(|w| w.parse().expect("a rank")).collect();
        let traffic = Traffic::parse_metis(&graph)
            .and_then(|traffic| traffic.renumbered(&order))
            .expect("the file is right");
        let ours = stencil(lengths, Wrap::Open, Reach::Faces, &[1]).expect("it is right");
        for rank in 0..traffic.ranks() {
            assert_eq!(ours.row(rank).0, traffic.row(rank).0, "{name}, rank {rank}");
        }
    }
}
