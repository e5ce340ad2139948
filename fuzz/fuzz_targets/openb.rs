//! Openb's lists of nodes and of pods: nothing panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use suanpan_sim::problem::Strictness;
use suanpan_sim::workload::openb;

fuzz_target!(|text: &str| {
    let nodes = openb::parse_nodes("nodes", text, Strictness::Skip);
    if let Ok(nodes) = &nodes {
        let models = openb::Models::of(&nodes.items);
        assert_eq!(nodes.items.iter().map(|node| models.node(node)).count(), nodes.items.len());
    }
    let _ = openb::parse_pods("pods", text, Strictness::Skip);
});
