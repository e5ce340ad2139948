//! Small networks for tests.

use crate::policy::Policy;
use crate::snapshot::{Change, Ending, Pending, Running, Snapshot};
use std::collections::BTreeMap;
use std::sync::Arc;
use suanpan_model::id::{AllocationId, ClusterId, JobId};
use suanpan_model::job::{Goal, Shape, Sharing};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::network::{LinkEstimate, Origin};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Link, Node, Partition};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_model::walltime::Walltime;

pub(crate) const NOW: Timestamp = Timestamp(1_000_000_000_000);
pub(crate) const HOUR: u32 = 3_600;

pub(crate) fn at(seconds: u64) -> Timestamp {
    NOW.plus(Seconds(seconds))
}

pub(crate) fn tres(cpus: u32, gib: u64, gpus: u32) -> Tres {
    Tres { cpus, memory: Mebibytes::new(gib * 1_024), gpus }
}

pub(crate) fn wall(seconds: u32) -> Walltime {
    Walltime::from_seconds(seconds).expect("tests ask for at least a second")
}

/// A flavor at a price of `cents` hundredths of a credit for a CPU and hour.
pub(crate) fn flavor(name: &str, speed_milli: u32, cents: i64) -> Flavor {
    let price = Price { cpu_hour: MicroCredits(cents * 10_000), ..Price::default() };
    Flavor { name: name.to_owned(), speed_milli, price }
}

/// A cluster of `count` equal nodes `<name>01`… of one flavor in one default partition `main`.
pub(crate) fn site(name: &str, flavor: Flavor, count: u32, capacity: Tres) -> Inventory {
    Inventory {
        site: name.to_owned(),
        cluster: name.to_owned(),
        driver: DriverKind::Noop,
        zone: "UTC".to_owned(),
        home: false,
        shared_paths: vec!["/".to_owned()],
        flavors: vec![flavor],
        nodes: (1..=count)
            .map(|number| Node {
                name: format!("{name}{number:02}"),
                flavor: 0,
                capacity,
                features: Vec::new(),
                outside: Tres::default(),
                releases: Vec::new(),
            })
            .collect(),
        partitions: vec![partition("main", (0..count).collect())],
        links: Vec::new(),
        enforced: Vec::new(),
        peer: None,
        data_quota: None,
        backlog: 0,
    }
}

pub(crate) fn partition(name: &str, nodes: Vec<u32>) -> Partition {
    Partition {
        name: name.to_owned(),
        default: true,
        time_max: wall(24 * HOUR),
        time_default: wall(HOUR),
        queue: Default::default(),
        nodes_max_per_job: 1_000,
        nodes,
    }
}

pub(crate) fn link(to: &str, delay_us: u32, throughput_bps: u64) -> Link {
    Link { to: to.to_owned(), delay_us, throughput_bps }
}

/// A shape of `nodes` nodes with `per_node` each for `seconds`, goal fastest.
pub(crate) fn shape(nodes: u32, per_node: Tres, seconds: u32) -> Shape {
    Shape {
        nodes,
        per_node,
        sharing: Sharing::Shared,
        time: Some(wall(seconds)),
        partitions: Vec::new(),
        sites: Vec::new(),
        flavors: Vec::new(),
        features: Vec::new(),
        nodelist: Vec::new(),
        exclude: Vec::new(),
        goal: Goal::Fastest,
        budget: None,
        inputs: Vec::new(),
        output_bytes: 0,
        paths: Vec::new(),
    }
}

pub(crate) fn pending(job: u64, shape: &Shape) -> Pending {
    Pending {
        job: JobId(job),
        priority: 0,
        submitted: Timestamp(i64::try_from(job).expect("tests use small ids")),
        shape: Arc::new(shape.clone()),
        queue: None,
        program: None,
        begin: None,
        deadline: None,
        ready: 1,
        refused_by: Vec::new(),
        may_use: Vec::new(),
        may_preempt: Vec::new(),
        qos_priority: 0,
    }
}

pub(crate) fn running(nodes: &[u32], per_node: Tres, ends_by: Timestamp) -> Running {
    let (sharing, ending) = (Sharing::Shared, Ending::AtLimit);
    let (nodes, preemptible, held) = (nodes.to_vec(), None, None);
    Running { nodes, per_node, sharing, ends_by, ending, preemptible, began: true, held }
}

/// A snapshot of these clusters, numbered from 1.
pub(crate) fn network(inventories: Vec<Inventory>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (id, inventory) in (1..).zip(inventories) {
        assert_eq!(inventory.problems(), vec![], "a fixture is sound");
        snapshot.apply(Change::Inventory(ClusterId(id), Arc::new(inventory)));
    }
    snapshot
}

/// Measured links: from, to, Mbit/s; without delay.
pub(crate) fn measured(links: &[(&str, &str, u64)]) -> BTreeMap<(String, String), LinkEstimate> {
    let link = |&(from, to, mbit): &(&str, &str, u64)| {
        let estimate = LinkEstimate {
            round_trip_us: 0,
            round_trip_p99_us: 0,
            loss_ppm: 0,
            throughput_bps: mbit * 1_000_000,
            delay_from: Origin::Measured,
            throughput_from: Origin::Measured,
            at: NOW,
        };
        ((from.to_owned(), to.to_owned()), estimate)
    };
    links.iter().map(link).collect()
}

pub(crate) fn add(snapshot: &mut Snapshot, jobs: impl IntoIterator<Item = Pending>) {
    for job in jobs {
        snapshot.apply(Change::Pending(job));
    }
}

pub(crate) fn take(snapshot: &mut Snapshot, cluster: u32, id: u64, running: Running) {
    snapshot.apply(Change::Took(ClusterId(cluster), AllocationId(id), running));
}

pub(crate) fn policy() -> Policy {
    Policy::default()
}
