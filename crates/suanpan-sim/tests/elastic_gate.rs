//! The elastic gate: Gavel's policy on Sia's Helios workload 1, against Sia's public simulator.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use suanpan_sched::elastic::gavel::Gavel;
use suanpan_sched::elastic::model::Model;
use suanpan_sched::elastic::sia::Sia;
use suanpan_sched::elastic::{FlavorNodes, RoundPolicy};
use suanpan_sim::problem::Strictness;
use suanpan_sim::replay::elastic::{Summary, replay, summary};
use suanpan_sim::workload::sia;
use suanpan_site::model::elastic::{Batches, Knowledge};

/// Sia's cluster: T4, A100 and 2080 Ti, in the order of its simulator's configuration.
const GPU_TYPES: [&str; 3] = ["aws", "dgx-ext", "rtx"];
const FLAVORS: [FlavorNodes; 3] = [
    FlavorNodes { nodes: 6, gpus_per_node: 4 },
    FlavorNodes { nodes: 2, gpus_per_node: 8 },
    FlavorNodes { nodes: 3, gpus_per_node: 8 },
];

/// The public data's folder, beside one of this crate's parents.
fn data() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = here.ancestors().map(|folder| folder.join("shared/data/sia"));
    let found = found.into_iter().find(|folder| folder.is_dir());
    if found.is_none() {
        eprintln!("SKIPPED: no shared/data/sia beside a parent of {}", here.display());
    }
    found
}

fn run(
    models: &Arc<[Model]>,
    folder: &Path,
    round_s: u64,
    batches: Batches,
    policy: Box<dyn RoundPolicy>,
) -> Summary {
    let text = std::fs::read_to_string(folder).expect("a workload of the data");
    let jobs = sia::parse("workload", &text, Strictness::Strict).expect("it is well formed").items;
    let done = replay(models, &FLAVORS, round_s, batches, policy, &jobs).expect("all jobs end");
    summary(&done).expect("there are jobs")
}

#[test]
fn gavel_on_helios_workload_1() {
    let Some(data) = data() else { return };
    let models = sia::profiles(&data.join("profiles"), &GPU_TYPES).expect("the profiles");
    let models: Arc<[Model]> = models.into();
    for w in 1..=10 {
        let file = data.join(format!("workloads/saturn/workload-{w}.csv"));
        let got = run(&models, &file, 360, Batches::Fixed, Box::new(Gavel::new(360.0)));
        eprintln!("{w} {got:?}");
    }
}

#[test]
fn aims() {
    let Some(data) = data() else { return };
    let models = sia::profiles(&data.join("profiles"), &GPU_TYPES).expect("the profiles");
    let models: Arc<[Model]> = models.into();
    use suanpan_sched::elastic::remaining::Remaining;
    let r = |weight: f64, restart: f64| Remaining {
        fairness: -0.5,
        weight,
        restart,
        no_allocation: 1.1,
    };
    let s = |fairness: f64| Sia { fairness, ..Sia::default() };
    let list: Vec<(String, Box<dyn Fn() -> Box<dyn RoundPolicy>>)> = vec![
        ("r .5 3".into(), Box::new(move || Box::new(r(0.5, 3.0)))),
        ("r 0 3".into(), Box::new(move || Box::new(r(0.0, 3.0)))),
        ("s -1".into(), Box::new(move || Box::new(s(-1.0)))),
        ("s -.25".into(), Box::new(move || Box::new(s(-0.25)))),
        ("r .5 8".into(), Box::new(move || Box::new(r(0.5, 8.0)))),
        ("r 1 3".into(), Box::new(move || Box::new(r(1.0, 3.0)))),
        ("r .5 20".into(), Box::new(move || Box::new(r(0.5, 20.0)))),
    ];
    for (label, policy) in list {
        let knowledge = Knowledge::Measured;
        let mut means = Vec::new();
        let began = std::time::Instant::now();
        for (name, n) in [("saturn", 10), ("philly", 8)] {
            let mut sum = 0.0;
            let mut rst = 0.0;
            for w in 1..=n {
                let file = data.join(format!("workloads/{name}/workload-{w}.csv"));
                let got = run(&models, &file, 60, Batches::Tuned(knowledge), policy());
                sum += got.jct_s_mean / f64::from(n) / 3600.0;
                rst += got.restarts_mean / f64::from(n);
            }
            means.push((sum, rst));
        }
        eprintln!("{label} {knowledge:?}: {means:.4?} {:?}", began.elapsed());
    }
}
