//! Gavel's traces on its cluster, with and without the speeds of the GPU types.
//!
//! Narayanan et al., "Heterogeneity-Aware Cluster Scheduling Policies for Deep Learning Workloads",
//! OSDI'20. Without the inputs, which are not ours to ship, the test says that it checked nothing.

mod data;

use suanpan_sched::elastic::FlavorNodes;
use suanpan_sched::elastic::gavel::{Gavel, Objective};
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::elastic::{replay, summary};
use suanpan_sim::workload::gavel::training::training;
use suanpan_sim::workload::gavel::{parse_throughputs, parse_trace};
use suanpan_site::model::elastic::Batches;

fn text(file: &str) -> Option<String> {
    Some(String::from_utf8(data::read(file)?).expect("the collection is text"))
}

#[test]
fn knowing_the_speeds_of_gpu_types_helps() {
    let Some(table) = text("gavel/simulation_throughputs.json.zst") else { return };
    let rates = parse_throughputs("rates", &table, Strictness::Strict).expect("it is well formed");
    // The cluster of the paper's physical experiments: 8 V100, 16 P100 and 24 K80.
    let nodes = |nodes, gpus_per_node| FlavorNodes { nodes, gpus_per_node };
    let flavors = [nodes(2, 4), nodes(4, 4), nodes(6, 4)];
    for name in ["max_min_fairness", "minimize_makespan"] {
        let Some(trace) = text(&format!("gavel/traces/{name}.trace")) else { return };
        let trace = parse_trace(name, &trace, Strictness::Strict).expect("it is well formed");
        let types = ["v100", "p100", "k80"];
        let (models, jobs) = training(&rates.items, &types, &trace.items).expect("all are known");
        let models = models.into();
        let run = |word: &str, objective| {
            let policy = Box::new(Gavel::new(360.0, objective));
            let done = replay(&models, &flavors, 360, Batches::Fixed, policy, &jobs);
            let got = summary(&done.expect("all end")).expect("there are jobs");
            let [jct, p99, span] = [got.jct_s_mean, got.jct_s_p99, got.makespan_s];
            println!(
                "| {name} ({} jobs) | {word} | {:.2} | {:.2} | {:.2} |",
                got.jobs,
                jct / 3600.0,
                p99 / 3600.0,
                span / 3600.0
            );
            (jct, span)
        };
        let _ = run("gavel", Objective::TotalThroughput);
        let aware = run("gavel-max-min", Objective::MaxMinFairness);
        let agnostic = run("gavel-max-min-agnostic", Objective::MaxMinFairnessAgnostic);
        println!(
            "  mean JCT {:.2}, makespan {:.2} times",
            agnostic.0 / aware.0,
            agnostic.1 / aware.1
        );
        assert!(aware.0 < agnostic.0, "{name}");
    }
}
