use super::*;
use crate::experiment::{SiteModel, file};
use std::path::Path;

const FILE: &str = r#"
name = "x"
policies = ["live"]
[[flavor]]
name = "cpu"
[[flavor]]
name = "gpu"
[[site]]
name = "small"
[[site.partition]]
nodes = [{ count = 4, flavor = "cpu", cpus = 16, memory = "64G" }]
[[site]]
name = "large"
[[site.partition]]
name = "main"
default = true
nodes = [{ count = 2, flavor = "cpu", cpus = 64, memory = "256G" }]
[[site.partition]]
name = "gpu"
nodes = [{ count = 2, flavor = "gpu", cpus = 64, memory = "512G", gpus = 8 }]
[[workload]]
generator = "lublin"
jobs = 10
"#;

/// The binding of a source with these keys, and the room for it.
fn bound(keys: &str) -> (Binding, Room) {
    let experiment =
        file::parse(&(FILE.to_owned() + keys), "x", Path::new("")).expect("it is right");
    let SiteModel::Network(network) = &experiment.site.model else { panic!("a network") };
    let binding = experiment.workload[0].binding.clone().expect("bound");
    let room = network.room(&binding);
    (binding, room)
}

#[test]
fn room_counts_the_nodes_that_jobs_may_use() {
    assert_eq!(bound("").1, Room { network: 192, site: 128, node: 16 });
    assert_eq!(bound("sites = [\"small\"]").1, Room { network: 64, site: 64, node: 16 });
    let gpus = "partitions = [\"gpu\"]\nper_processor = { cpus = 6, gpus = 1 }";
    assert_eq!(bound(gpus).1, Room { network: 16, site: 16, node: 8 });
    let (_, room) = bound("per_processor = { memory = \"100G\" }");
    assert_eq!(room, Room { network: 4, site: 4, node: 2 }, "small nodes hold none");
}

#[test]
fn processors_are_spread_evenly_over_the_fewest_nodes() {
    let (binding, _) = bound("per_processor = { cpus = 2, memory = \"3G\" }");
    assert_eq!(binding.processors_per_node, 8);
    let job = |processors, gpus| Job { gpus, ..Job::bare(1, 0, 60, processors) };
    let shaped = |job: Job| shape(&binding, &job, 60, binding.goal);
    let (one, three) = (shaped(job(8, 0)), shaped(job(17, 4)));
    assert_eq!((one.nodes, one.per_node.cpus), (1, 16));
    assert_eq!((three.nodes, three.per_node.cpus), (3, 12), "17 over 3 is 6 each");
    assert_eq!(three.per_node.memory, Mebibytes::new(18 << 10));
    assert_eq!(three.per_node.gpus, 2, "the log's GPUs, rounded up");
    let (with_gpus, _) = bound("partitions = [\"gpu\"]\nper_processor = { cpus = 4, gpus = 1 }");
    let shape = shape(&with_gpus, &job(9, 4), 60, Goal::Fastest);
    assert_eq!((shape.nodes, shape.per_node.gpus), (2, 5), "those of the processors");
}

#[test]
fn sources_are_merged_in_the_order_of_submission() {
    let part = |times: &[u64]| {
        let mut part = Workload::default();
        let job = |(id, at): (usize, &u64)| Job::bare(id as u64, *at, 10, 1);
        part.jobs = times.iter().enumerate().map(job).collect();
        part
    };
    let all = Submissions::of(vec![part(&[5, 20]), part(&[5, 7, 30])]);
    let order: Vec<(u32, u64)> = all.jobs.iter().map(|(one, job)| (*one, job.submit_s)).collect();
    assert_eq!(order, [(0, 5), (1, 5), (1, 7), (0, 20), (1, 30)]);
}
